"""Where lines touch the ink, and which of these contacts belong together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from worker.imaging.pixels import parts
from worker.imaging.sections import Numbers, starts
from worker.imaging.traces import Complex, Doubles, End, axis_of, places
from worker.job import Mask

#: A line's side touches the ink in a contact no wider than so many px.
_SIDE = 3.0
#: Two contacts of a line that goes on in the same direction within this cosine are one end.
_SAME_WAY = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Contacts:
    """Where lines touch the ink."""

    #: The pixels of all of them, contact after contact, and the contact each one is of.
    place: Complex
    of: Numbers
    #: Of each contact: its line's component, and its middle.
    line: Numbers
    middle: Complex

    @classmethod
    def between(cls, touching: Mask, lines: NDArray[np.int32]) -> Contacts:
        labels = parts(touching)[1]
        place = np.flatnonzero(touching.view(np.bool_))
        of = labels.ravel()[place].astype(np.intp) - 1
        order = of.argsort(kind="stable")
        of, place = of[order], place[order]
        first = starts(of)
        rows, columns = np.divmod(place, touching.shape[1])
        where = columns + 1j * rows
        middle = np.asarray(np.add.reduceat(where, first) / np.bincount(of), np.complex128)
        return cls(where, of, lines.ravel()[place[first]].astype(np.intp), middle)

    def extents(self, direction: Complex, contact: Numbers) -> tuple[Doubles, Doubles]:
        """From where to where some contacts reach in a direction each."""
        towards = np.zeros(len(self.line), np.complex128)
        towards[contact] = direction
        along = (self.place * towards.conj()[self.of]).real
        first = starts(self.of)
        return np.minimum.reduceat(along, first)[contact], np.maximum.reduceat(along, first)[contact]

    def few(self, first: int, end: int) -> Contacts:
        """Some of them."""
        start, stop = self.of.searchsorted((first, end)).tolist()
        line, middle = self.line[first:end], self.middle[first:end]
        return Contacts(self.place[start:stop], self.of[start:stop] - first, line, middle)


def merged(ends: list[End | None], contacts: Contacts) -> tuple[list[End], list[int]]:
    """The ends, one for each time that a line goes under the ink, and the contacts that are no ends.

    Noise parts a contact in two, and a line may touch the ink once more a little further back.
    """
    known = [end for end in ends if end is not None]
    if not known:
        return [], list(range(len(ends)))
    of = np.flatnonzero([end is not None for end in ends])
    point, direction = (np.array([getattr(end, name) for end in known]) for name in ("point", "direction"))
    half = np.array([end.half for end in known])[:, None]
    seen = np.array([len(end.trace) for end in known])[:, None]
    same = contacts.line[of][:, None] == contacts.line
    touch = (contacts.middle - point[:, None]) * direction.conj()[:, None]
    near = (
        same
        & (np.abs(touch.imag) <= half)
        & (touch.real >= -2 * half)
        & (touch.real <= 0)
        & (seen > 3 * half)
    )
    back = (point - point[:, None]) * direction.conj()[:, None]
    goes_on = same[:, of] & (np.abs(back.imag) <= half) & (back.real <= 0)
    goes_on &= (direction * direction.conj()[:, None]).real > _SAME_WAY
    cut, numbers = [end.cut for end in known], {contact: end for end, contact in enumerate(of.tolist())}
    kept: list[int] = []
    others: list[int] = []
    for contact in range(len(ends)):
        again = next((end for end in kept if near[end, contact]), None)
        if again is not None:
            hidden = (point[again] - contacts.few(contact, contact + 1).place) * direction[again].conj()
            cut[again] = max(cut[again], float(hidden.real.max()))
        elif contact in numbers:
            kept.append(numbers[contact])
        else:
            others.append(contact)
    found: list[int] = []
    for end in kept:
        behind = [other for other in found if goes_on[end, other]]
        before = next((other for other in found if goes_on[other, end]), None)
        if before is not None:
            cut[before] = max(cut[before], cut[end] - float(back[before, end].real))
        else:
            cut[end] = max([cut[end], *(cut[other] - float(back[end, other].real) for other in behind)])
            found = [other for other in found if other not in behind] + [end]
    return [replace(known[end], cut=cut[end]) for end in found], others


def passes_by(contacts: Contacts, number: int, lines: NDArray[np.int32], run: int) -> bool:
    """Whether a line only touches the ink with its side: it goes straight on at both ends of that contact."""
    contact = contacts.few(number, number + 1)
    touch = np.stack([contact.place.real, contact.place.imag], axis=1).astype(np.float32)
    shape = axis_of(touch, np.ones(len(touch), np.float32))
    if shape is None:
        return False
    centre, axis, long, thick = shape
    if thick > _SIDE or long < 3 * thick:
        return False
    left, top = np.maximum(touch.min(axis=0).astype(int) - run, 0).tolist()
    right, bottom = (touch.max(axis=0).astype(int) + run + 1).tolist()
    place = places(lines, int(contact.line[0]), left, top, right, bottom)
    along, off = np.array([axis, (-axis[1], axis[0])], np.float32) @ (place - centre).T
    straight = along[np.abs(off) <= thick]
    return bool(straight.min() < -long and straight.max() > long)
