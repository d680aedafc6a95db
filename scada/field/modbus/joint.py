"""Scan groups of several devices with one buffer, so that all of them are decoded in one go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from scada.field.driver import Reading
from scada.field.modbus.decode import Decoder, Point
from scada.field.modbus.group import Group, overlaid
from scada.field.modbus.plan import Request


class Joint:
    """Groups that are decoded together. Each one still works for itself, too.

    Args:
        groups: Of any devices; none with strings.

    Attributes:
        slices: Where the tags of each group stand in a reading.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        points: list[Point] = []
        requests: list[Request] = []
        self.slices: list[slice] = []
        for group in groups:
            if group.has_texts:
                raise ValueError("strings are read one by one")
            order, first = group.config.bytes_order, len(points)
            at = first
            for request in group.requests:
                for i in request.members:
                    point = group.points[i]
                    address = replace(point.address, order=point.address.order or order)
                    points.append(replace(point, address=address))
                members = tuple(range(at, len(points)))
                requests.append(Request(request.table, request.start, request.count, members))
                at = len(points)
            self.slices.append(slice(first, at))
        self._groups = list(groups)
        self._decoder = Decoder(points, requests, groups[0].config)
        self._counts = np.array([len(request.members) for request in requests])
        buffer = np.zeros(self._decoder.size, np.uint8)
        self._stamps = np.zeros(len(requests), np.int64)
        self._failure = np.zeros(len(requests), np.uint32)
        self._decoder.use(buffer)
        size = first = 0
        for group in groups:
            last = first + len(group.requests)
            group.use(buffer[size : size + group.size], self._stamps[first:last], self._failure[first:last])
            size, first = size + group.size, last

    def usable(self, number: int) -> bool:
        """Whether a group still asks what it asked when this was made, and was answered with values to all of it."""
        group = self._groups[number]
        return not group.replaced and group.right

    def reading(self) -> Reading:
        """What the last fetches of all groups brought.

        Returns:
            Its members are the tags of the groups one after the other, from 0 on, request by request.
        """
        decoder = self._decoder
        bits, status = decoder.decode()
        if self._failure.any():
            status = overlaid(status, self._failure[decoder.request_of])
        return Reading(decoder.members, bits, status, np.repeat(self._stamps, self._counts), {})

    def members(self, number: int) -> npt.NDArray[np.intp]:
        """Positions of the tags of one group in its device's tags, in the order of `reading`."""
        return self._groups[number].members
