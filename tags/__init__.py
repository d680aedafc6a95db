"""What a value is: the site as written down, data types, units, quality, and the process image.

What lives here: the compiled site (`model`), data types and their 64 bits (`types`), quality (`quality`),
units (`units`), scaling (`scaling`), expressions (`expression`), the process image, rings and slots that
carry samples between processes (`image`, `ring`, `events`, `slots`, `publish`), and the reading of a site
folder (`site`).

What may not: anything that knows a protocol, a database or a screen. This package imports nothing of ours.
"""
