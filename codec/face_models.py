"""Everything that coding a face state's frame depends on, in one thing that can be copied.

The same code runs in the encoder and the decoder: `FaceModels.frame` codes a frame through
whatever coder it is given, and learns from it.  Sections are those of docs/bitstream.md.
"""

from __future__ import annotations

import numpy as np

from avatar.errors import StreamError
from avatar.face import GROUPS, StateLayout
from codec.models import ACTIVITY, Coder, FlagModel, SymbolModels, saturate
from codec.predict import Ints, Predictor
from codec.quantize import BOUND, Quantizer
from codec.thrift import Chooser, Thrift

_KEY_GROUP = len(GROUPS)  # section 8.2: key frames have counters of their own
_ACTIVITY_ONE = 256
LEAP = 4  # section 10.3: frames that history's leaps go over


class FaceModels:
    """The coder's knowledge after some frames.  `fork` copies it; `key` marks a fresh start."""

    def __init__(self, quantizer: Quantizer, layout: StateLayout, call: bool = False) -> None:
        """Cold, then taught by the avatar's history (section 9; in a call also section 10.3)."""
        width = layout.width
        self.width = width
        self._groups = [i for i, name in enumerate(GROUPS) for _ in range(getattr(layout, name))]
        self._key_scales = quantizer.key_scales()
        self._predictor = Predictor(width)
        self._symbols = SymbolModels(width, _KEY_GROUP + 1)
        self._visible = FlagModel(2, 1 << 15)
        # Section 8.2: averages, 1/4096 steps; of steps and of leaps (section 10.3).
        self._fast = [[4096] * width for _ in range(2)]
        self._slow = [[4096] * width for _ in range(2)]
        self._recent = [0] * width
        self._activity = _ACTIVITY_ONE
        self._seen = 1
        self._learn_history(quantizer.history(), call)

    def fork(self) -> FaceModels:
        """An independent copy."""
        other = FaceModels.__new__(FaceModels)
        other.__dict__.update(self.__dict__)
        other._predictor = self._predictor.fork()
        other._symbols = self._symbols.fork()
        other._visible = self._visible.fork()
        other._fast = [a.copy() for a in self._fast]
        other._slow = [a.copy() for a in self._slow]
        other._recent = self._recent.copy()
        return other

    def _learn_history(self, history: Ints, call: bool) -> None:
        class Listener:
            def code(self, level: int, bit: int | None) -> int:
                assert bit is not None
                return bit

        listener = Listener()
        for row, symbols in enumerate(history):
            self.frame(listener, symbols, key=row == 0)
        for start in range(min(LEAP, len(history)) if call else 0):
            for row, symbols in enumerate(history[start::LEAP]):
                self.frame(listener, symbols, key=row == 0, leap=True)
        self._seen = 1
        self._activity = _ACTIVITY_ONE

    def visible(self, coder: Coder, flag: bool | None) -> bool:
        """Section 8.6: is the face there?  In the context of the frame before."""
        self._seen = self._visible.code(coder, flag, self._seen)
        return bool(self._seen)

    def frame(
        self,
        coder: Coder,
        symbols: Ints | None,
        key: bool,
        leap: bool = False,
        thrift: Thrift | None = None,
    ) -> Ints:
        """Codes one visible frame's [D] symbols (section 8); a decoder passes None.

        leap: it follows a state that lies several packets back (section 10.3).
        thrift: the encoder may choose other symbols; what it chose is returned.
        """
        known: list[int] | None = None if symbols is None else symbols.tolist()
        predictor = self._predictor
        if key:
            own: list[int] = [0] * self.width
        else:
            own = predictor.own(leap).tolist()
        out, errors = self._numbers(coder, known, own, key, leap, thrift)
        result = np.array(out, np.int64)
        if key:
            predictor.restart(result)
        else:
            predictor.learn(result, np.array(errors, np.int64))
        return result

    def _numbers(
        self,
        coder: Coder,
        known: list[int] | None,
        own: list[int],
        key: bool,
        leap: bool,
        thrift: Thrift | None,
    ) -> tuple[list[int], list[int]]:
        fast, slow = self._fast[leap], self._slow[leap]
        recent, groups = self._recent, self._groups
        rows, code = self._predictor.rows, self._symbols.code
        cross = np.zeros(self.width, np.int64)
        moved = 0
        before = 6 * self._activity
        choose = None
        if thrift is not None:
            momentum = self._predictor.momentum()
            choose = Chooser(thrift, self._symbols, key, self._fast[0], momentum).choose
        out, errors = [], []
        for d in range(self.width):
            if key:
                prediction, group, last = 0, _KEY_GROUP, 0
                quick = calm = self._key_scales[d]
            else:
                prediction = own[d] + (int(cross[d]) >> 16)  # section 7.2
                group, last = groups[d], recent[d]
                quick, calm = fast[d], slow[d]
            base = (prediction + 128) >> 8
            offset = prediction - (base << 8)
            sign = -1 if offset < 0 else 1
            fraction = min(3, abs(offset) >> 5)
            activity = ACTIVITY[(moved + before) // (d + 6)]
            context = (d, group, quick, calm, fraction, activity, last)
            deviation = None if known is None else sign * (known[d] - base)
            if choose is not None and deviation is not None:
                deviation = choose(deviation, base, sign, context)
            deviation = code(coder, deviation, context)
            symbol = base + sign * deviation
            if not -BOUND <= symbol <= BOUND:
                raise StreamError("a symbol is out of bounds", field="symbol")
            out.append(symbol)
            error = saturate((symbol << 8) - prediction)
            if key:
                continue
            errors.append(error)
            if error:
                cross += rows[d] * error
            size = abs(error)
            moved += min(4096, (size << 12) // (slow[d] + 410))
            fast[d] += ((size << 4) - fast[d]) >> 2
            slow[d] += ((size << 4) - slow[d]) >> 4
            recent[d] = min(2, abs(deviation))
        if not key:
            self._activity = moved // self.width
        return out, errors
