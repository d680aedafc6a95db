"""Block types by the name that the site uses."""

from __future__ import annotations

from scada.blocks.base import Binder, FunctionBlock
from tags import model

TYPES: dict[str, type[FunctionBlock]] = {}


def build(config: model.Block, binder: Binder) -> FunctionBlock:
    """The function block of a compiled configuration.

    Raises:
        ValueError: There is no such type, or a setting is missing (the site's check has said so before).
    """
    if config.type not in TYPES:
        raise ValueError(
            f"{config.path}: no block type {config.type!r}; there are {', '.join(sorted(TYPES))}"
        )
    try:
        return TYPES[config.type].build(config, binder)
    except KeyError as error:
        raise ValueError(f"{config.path}: {error.args[0]}") from error


def build_all(configs: tuple[model.Block, ...], binder: Binder) -> list[FunctionBlock]:
    """All blocks of a site, linked to each other, in the order of `configs`."""
    blocks = [build(config, binder) for config in configs]
    by_path = {block.path: block for block in blocks}
    for block in blocks:
        block.link(by_path)
    return blocks
