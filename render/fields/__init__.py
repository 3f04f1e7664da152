"""Radiance fields of a person: head, torso and background, as torch modules."""
