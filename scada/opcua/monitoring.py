"""What a monitored item reports: asyncua's rule, corrected.

asyncua compares with the sample before, not with what it reported last, so that a slow ramp is never reported; it
subtracts whatever it finds, so that a text or a Bad value (which has none) under a dead band is an error in whoever
publishes; and it answers a change of an unknown item with an error for the whole call.
"""

from __future__ import annotations

from asyncua import ua
from asyncua.server import internal_subscription
from asyncua.server.monitored_item_service import MonitoredItemService

ITEMS_MAX = 10_000  # of one subscription


class MonitoredItems(MonitoredItemService):
    """The items of one subscription."""

    async def create_monitored_items(
        self, params: ua.CreateMonitoredItemsParameters
    ) -> list[ua.MonitoredItemCreateResult]:
        """As asyncua, at most `ITEMS_MAX`."""
        free = ITEMS_MAX - len(self._monitored_items)
        wanted = params.ItemsToCreate
        params.ItemsToCreate = wanted[:free]
        results: list[ua.MonitoredItemCreateResult] = await super().create_monitored_items(params)
        for _ in wanted[free:]:
            refused = ua.MonitoredItemCreateResult()
            refused.StatusCode = ua.StatusCode(ua.StatusCodes.BadTooManyMonitoredItems)
            results.append(refused)
        return results

    async def datachange_callback(
        self, handle: int, value: ua.DataValue, error: ua.StatusCode | None = None
    ) -> None:
        """Reports a value when it differs from what was reported last by what the client asked for."""
        if error:
            await super().datachange_callback(handle, value, error)
            return
        item = self._monitored_items.get(self._monitored_datachange.get(handle, 0))
        if item is None or item.monitored_item_id is None or item.mode == ua.MonitoringMode.Disabled:
            return
        last = item.mvalue.current_dvalue
        if last is not None and not moved(last, value, item.filter):
            return
        item.mvalue.current_dvalue = value
        event = ua.MonitoredItemNotification()
        event.ClientHandle = item.client_handle
        event.Value = value
        await self.isub.enqueue_datachange_event(item.monitored_item_id, event, item.queue_size)

    def _modify_monitored_item(self, params: ua.MonitoredItemModifyRequest) -> ua.MonitoredItemModifyResult:
        if params.MonitoredItemId not in self._monitored_items:
            result = ua.MonitoredItemModifyResult()
            result.StatusCode = ua.StatusCode(ua.StatusCodes.BadMonitoredItemIdInvalid)
            return result
        params.RequestedParameters.QueueSize = self._revise_queue_size(params.RequestedParameters.QueueSize)
        return super()._modify_monitored_item(params)


def moved(last: ua.DataValue, now: ua.DataValue, wanted: object) -> bool:
    """Whether a value is to be reported (OPC 10000-4 §7.22.2).

    Args:
        last: As it was reported last.
        now: As it is.
        wanted: The item's filter; other than a `DataChangeFilter` is none.
    """
    trigger, dead_band = ua.DataChangeTrigger.StatusValue, 0.0
    # By name: asyncua decodes into another class of that name than the one it shows.
    if type(wanted).__name__ == "DataChangeFilter":
        trigger = ua.DataChangeTrigger(getattr(wanted, "Trigger", trigger))
        absolute = getattr(wanted, "DeadbandType", 0) == ua.DeadbandType.Absolute.value
        dead_band = getattr(wanted, "DeadbandValue", 0.0) if absolute else 0.0
    if last.StatusCode != now.StatusCode:
        return True
    if trigger == ua.DataChangeTrigger.Status:
        return False
    if trigger == ua.DataChangeTrigger.StatusValueTimestamp and last.SourceTimestamp != now.SourceTimestamp:
        return True
    if last.Value == now.Value:
        return False
    before, after = (variant.Value if variant else None for variant in (last.Value, now.Value))
    if not isinstance(before, int | float) or not isinstance(after, int | float):
        return True
    return not abs(after - before) <= dead_band


def install() -> None:
    """Subscriptions made from now on have these items; asyncua has no other place to say so."""
    internal_subscription.MonitoredItemService = MonitoredItems
