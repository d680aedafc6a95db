"""What happens to history when machines fail: kills, power cuts, full disks, flipped bytes, clocks that are set.

`space` opens a room with mounts of its own, `fuse` speaks the kernel's protocol, `forgetful` is a file system that knows
what was flushed, `crash` makes disks as a power cut leaves them, `work` is what the historian does all day, `verdict` says
whether history is whole. Each test file plants the bug that it looks for, too.
"""
