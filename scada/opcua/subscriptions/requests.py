"""Which request asks for what of `Subscriptions`: for the table of services (`wire.dispatch`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asyncua import ua
from asyncua.common.utils import ServiceError

from scada.opcua.subscriptions.parameters import RefusedError
from scada.opcua.wire.dispatch import Call, Service, in_turns

if TYPE_CHECKING:
    from scada.opcua.subscriptions.service import Subscriptions
    from scada.opcua.subscriptions.subscription import Subscription

PUBLISH: Final = int(ua.ObjectIds.PublishRequest_Encoding_DefaultBinary)
Codes = ua.StatusCodes


def services(its: Subscriptions) -> dict[int, Service]:
    """Each request by the id of its encoding; Publish is also a fast one."""
    table = {
        "CreateSubscription": (ua.CreateSubscriptionParameters, _create),
        "ModifySubscription": (ua.ModifySubscriptionParameters, _modify),
        "SetPublishingMode": (ua.SetPublishingModeParameters, _set_publishing_mode),
        "Publish": (ua.PublishParameters, _publish),
        "Republish": (ua.RepublishParameters, _republish),
        "TransferSubscriptions": (ua.TransferSubscriptionsParameters, _transfer),
        "DeleteSubscriptions": (ua.DeleteSubscriptionsParameters, _delete),
        "CreateMonitoredItems": (ua.CreateMonitoredItemsParameters, _create_items),
        "ModifyMonitoredItems": (ua.ModifyMonitoredItemsParameters, _modify_items),
        "SetMonitoringMode": (ua.SetMonitoringModeParameters, _set_monitoring_mode),
        "SetTriggering": (ua.SetTriggeringParameters, _set_triggering),
        "DeleteMonitoredItems": (ua.DeleteMonitoredItemsParameters, _delete_items),
    }

    def bound(handle: Any) -> Any:
        async def answer(call: Call) -> Any:
            try:
                return await handle(its, call)
            except RefusedError as refused:
                raise ServiceError(refused.status) from None

        return answer

    return {
        int(getattr(ua.ObjectIds, f"{name}Request_Encoding_DefaultBinary")): Service(kind, bound(handle))
        for name, (kind, handle) in table.items()
    }


def _some(listed: Any) -> list[Any]:
    """The operations of a request; none is refused."""
    if not listed:
        raise ServiceError(Codes.BadNothingToDo)
    return list(listed)


def _codes(numbers: list[int]) -> list[ua.StatusCode]:
    return [ua.StatusCode(number) for number in numbers]


async def _create(its: Subscriptions, call: Call) -> Any:
    response = ua.CreateSubscriptionResponse()
    response.Parameters = its.open(call.session, call.params)
    return response


async def _modify(its: Subscriptions, call: Call) -> Any:
    response = ua.ModifySubscriptionResponse()
    response.Parameters = its.modify(call.session, call.params)
    return response


async def _set_publishing_mode(its: Subscriptions, call: Call) -> Any:
    response = ua.SetPublishingModeResponse()
    ids = _some(call.params.SubscriptionIds)
    response.Parameters.Results = _codes(
        its.set_mode(call.session, ids, enabled=bool(call.params.PublishingEnabled))
    )
    return response


async def _publish(its: Subscriptions, call: Call) -> Any:
    """A Publish request that the fast way did not take is none."""
    del its, call
    raise ServiceError(Codes.BadDecodingError)


async def _republish(its: Subscriptions, call: Call) -> bytes:
    wanted = call.params
    message = its.sent_again(call.session, wanted.SubscriptionId, wanted.RetransmitSequenceNumber)
    return its.republished(int(call.header.RequestHandle), message)


async def _transfer(its: Subscriptions, call: Call) -> Any:
    response = ua.TransferSubscriptionsResponse()
    ids = _some(call.params.SubscriptionIds)
    response.Parameters.Results = its.transfer(call.session, ids, initial=bool(call.params.SendInitialValues))
    return response


async def _delete(its: Subscriptions, call: Call) -> Any:
    response = ua.DeleteSubscriptionsResponse()
    response.Results = _codes(its.remove(call.session, _some(call.params.SubscriptionIds)))
    return response


def _stamps(asked: Any) -> int:
    if not 0 <= int(asked) <= 3:
        raise ServiceError(Codes.BadTimestampsToReturnInvalid)
    return int(asked)


def _still_own(its: Subscriptions, call: Call, subscription: Subscription) -> None:
    """Between two turns a subscription may be deleted, or go to another session.

    Raises:
        ServiceError: It did.
    """
    if its.own(call.session, subscription.id) is not subscription:
        raise ServiceError(Codes.BadSubscriptionIdInvalid)


async def _create_items(its: Subscriptions, call: Call) -> Any:
    wanted = call.params
    subscription = its.own(call.session, wanted.SubscriptionId)
    stamps = _stamps(wanted.TimestampsToReturn)

    async def some(requests: list[Any]) -> Any:
        _still_own(its, call, subscription)
        return its.making.create(call.session, subscription, requests, stamps)

    response = ua.CreateMonitoredItemsResponse()
    response.Results = await in_turns(_some(wanted.ItemsToCreate), some)
    return response


async def _modify_items(its: Subscriptions, call: Call) -> Any:
    wanted = call.params
    subscription = its.own(call.session, wanted.SubscriptionId)
    stamps = _stamps(wanted.TimestampsToReturn)

    async def some(requests: list[Any]) -> Any:
        if its.subscriptions.get(subscription.id) is not subscription:
            raise ServiceError(Codes.BadSubscriptionIdInvalid)
        return its.making.modify(subscription, requests, stamps)

    response = ua.ModifyMonitoredItemsResponse()
    response.Results = await in_turns(_some(wanted.ItemsToModify), some)
    return response


async def _set_monitoring_mode(its: Subscriptions, call: Call) -> Any:
    wanted = call.params
    subscription = its.own(call.session, wanted.SubscriptionId)
    response = ua.SetMonitoringModeResponse()
    response.Parameters.Results = _codes(
        its.making.set_mode(subscription, int(wanted.MonitoringMode), _some(wanted.MonitoredItemIds))
    )
    return response


async def _set_triggering(its: Subscriptions, call: Call) -> Any:
    wanted = call.params
    subscription = its.own(call.session, wanted.SubscriptionId)
    add, remove = list(wanted.LinksToAdd or ()), list(wanted.LinksToRemove or ())
    _some(add or remove)
    added, removed = its.making.link(subscription, wanted.TriggeringItemId, add, remove)
    response = ua.SetTriggeringResponse()
    response.Parameters.AddResults, response.Parameters.RemoveResults = _codes(added), _codes(removed)
    return response


async def _delete_items(its: Subscriptions, call: Call) -> Any:
    wanted = call.params
    subscription = its.own(call.session, wanted.SubscriptionId)
    response = ua.DeleteMonitoredItemsResponse()
    response.Results = _codes(its.making.delete(subscription, _some(wanted.MonitoredItemIds)))
    return response
