"""Function blocks of the control program: PID, valves, motors, timers and their kin.

What lives here: `base` (what a block is, what it sees of a scan), `registry` (types by name) and one file per block
with its equation, units, source, and what bad or stale input does. What may not: clocks, I/O, randomness, the order
of a scan, requests, the output stage (`scada.scan`).

How the scan uses it::

    binder = Binder(site.by_path(), site.scan_ns)
    blocks = registry.build_all(site.blocks, binder)     # then bind whatever else the scan reads
    signals, outputs = binder.signals(), binder.outputs()
    ctx = Context(signals, outputs)
    block.restore(state, fresh=…)                        # once each, before the first scan
    # each scan:
    signals.fresh[:] = [False] * n                       # then copy the inputs in
    ctx.begin(tick)
    block.write("SP", 2.8); block.write_output(row, 40.0)   # requests
    block.step(ctx)                                      # all, in order
    # output stage: override → else wanted → limits → rate → tracking; sets outputs.applied and .tracking

Rules that all blocks keep: they act on usable values only (`base.usable`), a NaN or infinity never leaves one as
Good, and none raises for any input. A point's source time moves only when the point changes, so a restored value
keeps its original time when the scan puts value, status and time into the signals before the first step.
"""
