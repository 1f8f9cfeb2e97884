"""Which tiles the network gets: windows of the page, as few pixels of them as the ink allows.

Holes that lie close share a window; every window keeps `context` px of page around its ink on each side that
has them, and what is written back lies inside that margin. Ink that does not fit a window is cut where its
strokes leave ground between them (rows of text first, then columns), or shrunk where the hole is thick (whole
polygons of display type): there a cut would fall into the middle of the hole. Several coverings are compared,
a plain grid among them, and the one with the fewest pixels is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import cv2
import numpy as np

from worker.imaging.boxes import union
from worker.imaging.plan import Hole, PlanOptions, Window
from worker.job import Box, Mask


def plan_windows(
    holes: Sequence[Hole], page: Box, sizes: Sequence[int], options: PlanOptions
) -> tuple[Window, ...]:
    """Covers all holes with windows, at the least work.

    Args:
        holes: Ink of the lines that need the network.
        page: The whole page.
        sizes: Served tile sizes in px, at least one.
        options: Context and preferences.
    """
    largest = max(sizes)
    windows: list[Window] = []
    thin: list[Hole] = []
    for hole in holes:
        fits = _fits(hole.box, page, largest, _context(largest, options))
        if not fits and _radius(hole.mask) > options.thickest_hole * largest:
            windows.append(_shrunk(hole, page, largest, _context(largest, options)))
        else:
            thin.append(hole)
    covers = [_cheapest(cluster, page, sizes, largest, options) for cluster in _clusters(thin, largest)]
    return (*windows, *_merged([window for cover in covers for window in cover], page, options))


def work(windows: Sequence[Window]) -> int:
    """Pixels that the network is given."""
    return sum(window.size**2 for window in windows)


def _cheapest(
    holes: list[Hole], page: Box, sizes: Sequence[int], largest: int, options: PlanOptions
) -> list[Window]:
    """The covering of a cluster with the fewest pixels; of equal ones that with the largest windows."""
    best: list[Window] = []
    for size in sorted(sizes, reverse=True):
        smaller = [other for other in sizes if other < size]
        for gathers, slack in ((True, 0.25), (False, 0.25), (False, 0.0)):
            slices = _Slices(page, size, _context(size, options), options.cut_overlap, slack)
            cover = slices.gathered(holes) if gathers else slices.grid(holes)
            if smaller:
                parts = [_cheapest(list(window.holes), page, smaller, largest, options) for window in cover]
                cover = [
                    window
                    for whole, finer in zip(cover, parts, strict=True)
                    for window in min([whole], finer, key=lambda one: _price(one, largest, options))
                ]
            if not best or _price(cover, largest, options) < _price(best, largest, options):
                best = cover
    return best


def _price(windows: Sequence[Window], largest: int, options: PlanOptions) -> float:
    """The network's pixels, and more for a small window that cuts ink: a seam may show."""
    cut = [one for one in windows if one.size < largest and any(hole.faded for hole in one.holes)]
    return work(windows) + options.price_of_cut * work(cut)


def _clusters(holes: Sequence[Hole], reach: int) -> list[list[Hole]]:
    """Groups of holes whose boxes come within reach of each other."""
    boxes = np.array([(h.box.left, h.box.top, h.box.right, h.box.bottom) for h in holes]).reshape(-1, 4)
    free = np.ones(len(holes), bool)
    clusters: list[list[Hole]] = []
    for start in range(len(holes)):
        if not free[start]:
            continue
        free[start] = False
        members, frontier = [start], [start]
        while frontier:
            left, top, right, bottom = boxes[frontier.pop()]
            near = free & (boxes[:, 0] <= right + reach) & (boxes[:, 2] >= left - reach)
            near &= (boxes[:, 1] <= bottom + reach) & (boxes[:, 3] >= top - reach)
            found = np.flatnonzero(near)
            free[found] = False
            members += found.tolist()
            frontier += found.tolist()
        clusters.append([holes[index] for index in sorted(members)])
    return clusters


@dataclass(frozen=True, slots=True)
class _Slices:
    """Coverings by windows of one size."""

    page: Box
    size: int
    context: int
    #: Px shared by two pieces where a cut meets ink.
    overlap: int
    #: Share of a window that may be given up to cut at an emptier place.
    slack: float

    def gathered(self, holes: list[Hole]) -> list[Window]:
        """Each hole cut by itself, then those that fit a window together."""
        pieces = [piece for hole in holes for part in self.grid([hole]) for piece in part.holes]
        pieces.sort(key=lambda piece: (piece.box.top, piece.box.left))
        windows: list[Window] = []
        while pieces:
            chosen, pieces = self._first(pieces)
            windows.append(self.window(chosen))
        return windows

    def grid(self, holes: list[Hole]) -> list[Window]:
        """All holes cut along common rows, and each band of them along common columns."""
        bands = self._sliced(holes, wide=False)
        return [self.window(part) for band in bands for part in self._sliced(band, wide=True)]

    def window(self, holes: list[Hole]) -> Window:
        """The window around holes that fit one."""
        box = reduce(union, (hole.box for hole in holes))
        return Window(self.size, _placed(box, self.page, self.size), 1.0, tuple(holes))

    def _first(self, pieces: list[Hole]) -> tuple[list[Hole], list[Hole]]:
        """The first piece and those that fit a window with it, nearest first; and the rest.

        The pieces come sorted by their top, so only those within a window's height are looked at.
        """
        chosen, box = [pieces[0]], pieces[0].box
        reach = sum(piece.box.top < box.top + self.size for piece in pieces)
        near, far = pieces[1:reach], pieces[reach:]
        while near:
            unions = [union(box, piece.box) for piece in near]
            fitting = [i for i, one in enumerate(unions) if _fits(one, self.page, self.size, self.context)]
            if not fitting:
                break
            nearest = min(fitting, key=lambda i: unions[i].width * unions[i].height)
            box = unions[nearest]
            chosen.append(near.pop(nearest))
        return chosen, near + far

    def _sliced(self, holes: list[Hole], *, wide: bool) -> list[list[Hole]]:
        """Slices of holes that fit a window along one axis, each as long as it may be."""
        slices: list[list[Hole]] = []
        end = self.page.right if wide else self.page.bottom
        while holes:
            low = min(_span(hole.box, wide)[0] for hole in holes)
            high = max(_span(hole.box, wide)[1] for hole in holes)
            start = max(low - self.context, 0)
            limit = end if start + self.size >= end else start + self.size - self.context
            if high <= limit:
                slices.append(holes)
                break
            place, shared = self._place(holes, limit, wide)
            taken: list[Hole] = []
            rest: list[Hole] = []
            for hole in holes:
                before, after = _span(hole.box, wide)
                if after <= place:
                    taken.append(hole)
                elif before >= place:
                    rest.append(hole)
                else:
                    common = min(shared, place - before)
                    taken.append(_part(hole, 0, place - before, wide))
                    rest.append(_part(hole, place - common - before, after - before, wide, fade=common))
            slices.append([hole for hole in taken if hole.mask.any()])
            holes = [hole for hole in rest if hole.mask.any()]
        return [each for each in slices if each]

    def _place(self, holes: list[Hole], limit: int, wide: bool) -> tuple[int, int]:
        """Where to cut, up to a limit: the emptiest place; and how far the pieces overlap there."""
        low = limit - max(1, round(self.slack * (self.size - 2 * self.context)))
        ink = np.zeros(limit - low + 1, np.intp)
        for hole in holes:
            before, after = _span(hole.box, wide)
            first, last = max(before, low), min(after, limit + 1)
            if first < last:
                part = slice(first - before, last - before)
                seen = hole.mask[:, part] if wide else hole.mask[part]
                ink[first - low : last - low] += np.count_nonzero(seen, axis=0 if wide else 1)
        # the last of the emptiest: the next slice begins with what lies there
        place = limit - int(np.argmin(ink[:0:-1]))
        return place, self.overlap if ink[place - low] else 0


def _merged(windows: list[Window], page: Box, options: PlanOptions) -> list[Window]:
    """Windows that fit one of them together become one."""
    apart: list[Window] = []
    for window in sorted(windows, key=lambda window: window.box.top):
        for place, other in enumerate(apart):
            size = max(window.size, other.size)
            if window.box.top - other.box.top > size:
                continue
            holes = (*other.holes, *window.holes)
            around = reduce(union, (hole.box for hole in holes))
            if _fits(around, page, size, _context(size, options)):
                apart[place] = Window(size, _placed(around, page, size), 1.0, holes)
                break
        else:
            apart.append(window)
    return apart


def _context(size: int, options: PlanOptions) -> int:
    return min(options.context, size // 4)


def _span(box: Box, wide: bool) -> tuple[int, int]:
    return (box.left, box.right) if wide else (box.top, box.bottom)


def _fits(box: Box, page: Box, size: int, context: int) -> bool:
    """Whether a box with its context (as far as the page has it) fits a window."""
    width = min(box.right + context, page.right) - max(box.left - context, page.left)
    height = min(box.bottom + context, page.bottom) - max(box.top - context, page.top)
    return width <= size and height <= size


def _placed(box: Box, page: Box, size: int) -> Box:
    """A window of the page around a box, centred, moved inside where it would leave the page."""
    left = _start(box.left, box.right, page.right, size)
    top = _start(box.top, box.bottom, page.bottom, size)
    return Box(left, top, min(left + size, page.right), min(top + size, page.bottom))


def _start(low: int, high: int, end: int, size: int) -> int:
    return max(0, min((low + high - size) // 2, end - size))


def _shrunk(hole: Hole, page: Box, size: int, context: int) -> Window:
    """One window at reduced resolution around a hole too thick to be cut."""
    longest = max(hole.box.width, hole.box.height)
    scale = min(1.0, (size - 2 * context) / longest)
    return Window(size, _placed(hole.box, page, int(size / scale)), scale, (hole,))


def _part(hole: Hole, start: int, end: int, wide: bool, fade: int = 0) -> Hole:
    """Columns (rows where the hole is tall) of a hole; the first `fade` of them fade in."""
    box, inner = hole.box, (slice(None), slice(start, end))
    if wide:
        box = Box(box.left + start, box.top, box.left + end, box.bottom)
        mask, alpha = hole.mask[inner], hole.alpha[inner]
    else:
        box = Box(box.left, box.top + start, box.right, box.top + end)
        mask, alpha = hole.mask.T[inner].T, hole.alpha.T[inner].T
    alpha = alpha.copy()  # a view would keep all that was left of the hole, for each of its pieces
    if fade:
        ramp = (np.arange(fade, dtype=np.float32) + 1) / (fade + 1)
        edge = alpha[:, :fade] if wide else alpha[:fade]
        edge[:] = np.rint(edge * (ramp[None, :] if wide else ramp[:, None]))
    return Hole(hole.block_id, hole.line, box, mask, alpha, faded=fade > 0)


def _radius(mask: Mask) -> float:
    return float(cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 3).max())
