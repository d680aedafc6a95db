"""What a client may ask for: one table, enforced where the work is done and told in ServerCapabilities.

A number here is both what the server does and what it says (OPC 10000-5 §6.3.2 ServerCapabilitiesType, §6.3.11
OperationLimitsType); the standard nodes are filled from it by `information`. All limits are checked before anything of
the asked size is allocated.
"""

from __future__ import annotations

from typing import Final

# Of one request: more are refused with BadTooManyOperations (OPC 10000-4 §5.3).
NODES_PER_READ: Final = 10_000
NODES_PER_WRITE: Final = 100  # each becomes a request to control
NODES_PER_CALL: Final = 100  # methods in one Call
NODES_PER_BROWSE: Final = 500  # also continuation points in one BrowseNext; all of tags fits an answer
NODES_PER_REGISTER: Final = 10_000  # also of UnregisterNodes
PATHS_PER_TRANSLATE: Final = 1_000
ITEMS_PER_CALL: Final = 10_000  # monitored items made, changed, deleted or linked
NODES_PER_HISTORY_READ: Final = 100
NODES_PER_HISTORY_EVENTS: Final = 10
NODES_PER_HISTORY_UPDATE: Final = 100
SUBSCRIPTIONS_PER_CALL: Final = 1_000  # of DeleteSubscriptions, TransferSubscriptions, SetPublishingMode
ACKNOWLEDGEMENTS_PER_PUBLISH: Final = 2_000  # a result for each is kept until the answer

# Of one answer.
REFERENCES_PER_NODE: Final = 1_000  # the rest through BrowseNext
REFERENCES_PER_ANSWER: Final = 5_000
HISTORY_VALUES_PER_NODE: Final = 10_000  # the rest through a continuation point
HISTORY_EVENTS_PER_NODE: Final = 1_000
HISTORY_VALUES_PER_ANSWER: Final = 100_000
NOTIFICATIONS_PER_PUBLISH: Final = 10_000  # the rest with MoreNotifications

# Of one session.
BROWSE_CONTINUATION_POINTS: Final = 50
HISTORY_CONTINUATION_POINTS: Final = 100
SUBSCRIPTIONS_PER_SESSION: Final = 50
ITEMS_PER_SESSION: Final = 100_000
EVENT_ITEMS_PER_SESSION: Final = 100
POLLED_PER_SESSION: Final = 5_000  # of these, on what is no value of a tag
QUEUED_PER_SESSION: Final = 500_000  # values that the queues of its items may hold, some 60 bytes each
PUBLISH_REQUESTS_PER_SESSION: Final = 100  # the oldest ends with BadTooManyPublishRequests
REGISTERED_PER_SESSION: Final = 100_000  # handles that RegisterNodes gave out

# Of one subscription.
ITEMS_PER_SUBSCRIPTION: Final = 100_000
QUEUE_PER_ITEM: Final = 1_000
EVENT_QUEUE_PER_ITEM: Final = 1_000
LINKS_PER_SUBSCRIPTION: Final = 1_000  # that SetTriggering has made
UNACKNOWLEDGED_PER_SUBSCRIPTION: Final = 200  # messages kept for Republish: two for each Publish request
PUBLISHING_MS: Final = (50.0, 3_600_000.0)  # what is asked for is revised into this
SAMPLING_MS: Final = 50.0  # the shortest: one look at the plant
KEEP_ALIVE_COUNT: Final = 5_000
LIFETIME_COUNT: Final = 15_000
SELECT_CLAUSES: Final = 500
WHERE_ELEMENTS: Final = 100

# Of the whole server.
SESSIONS: Final = 600
SESSIONS_KEPT: Final = (
    50  # of these, for channels with a trusted certificate and addresses that signed in before
)
SESSIONS_TRUSTED: Final = 25  # of these, for channels with a trusted certificate alone
SESSIONS_PER_CHANNEL: Final = 10
CONNECTIONS: Final = 700
CONNECTIONS_KEPT: Final = 50  # of these, for addresses from which somebody signed in before
CONNECTIONS_PER_SOURCE: Final = 600
SUBSCRIPTIONS: Final = 5_000
ITEMS: Final = 1_000_000
POLLED: Final = 50_000  # of these, on what is no value of a tag, some 2 kB each
QUEUED: Final = 2_000_000  # values that all queues together may hold
REGISTERED: Final = 500_000  # handles of all sessions
EVENT_ITEMS: Final = 2_000  # each looks at each event
EVENT_WEIGHT_PER_SESSION: Final = 5_000  # clauses and operands of its event filters, a Like for a hundred
EVENT_WEIGHT: Final = 50_000  # of all: each is worked out for each event
EVENT_FIELDS: Final = 2_000_000  # of all events that wait to be published

# Of what travels, bytes and elements (OPC 10000-6 §6.7, OPC 10000-5 §6.3.2).
CHUNK: Final = 65_535
MESSAGE: Final = 4 * 1024 * 1024
ANSWER: Final = 8 * 1024 * 1024  # what is longer is BadResponseTooLarge
STRING: Final = 1024 * 1024
BYTE_STRING: Final = 1024 * 1024
ARRAY: Final = 65_536
DEPTH: Final = 100  # of Variants, ExtensionObjects and DiagnosticInfos in each other (OPC 10000-6 §5.1.5)
