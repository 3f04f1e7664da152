"""The fallback: a hybrid of classic key frames and generated frames between them.

After S. Yin et al., "Generative Human Video Compression with Multi-granularity Temporal Trajectory
Factorization" (MTTF below), with the dynamic key frames of A. Tang et al., "A Hybrid Scheme for
Face Video Compression".  What is on the wire is normative in docs/mttf.md.

Importing this package loads neither torch nor PyAV.  `backend` loads torch for the networks.
"""
