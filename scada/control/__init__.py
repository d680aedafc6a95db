"""The control service: the shell around `scada.scan.step`.

What lives here: the loop with absolute deadlines (`service`), what the machine grants it (`realtime`), gathering
inputs from the images of other services (`gather`), the request socket (`mailbox`), publishing (`publish`), the state
slots (`keeper`), and civil time (`civil`).

What may not: any decision about the plant (that is `scada.scan`'s), and, once the loop runs, any disk: state and
recording go to memory, and the historian writes them down.
"""
