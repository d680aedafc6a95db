"""Block types by the name that the site uses."""

from __future__ import annotations

from scada.blocks.base import Binder, FunctionBlock
from scada.blocks.calc import Calc
from scada.blocks.cause_effect import CauseEffect
from scada.blocks.changeover import Changeover
from scada.blocks.characteriser import Characteriser
from scada.blocks.compare import Compare
from scada.blocks.damper import Damper
from scada.blocks.dead_time import DeadTime
from scada.blocks.drive import Drive
from scada.blocks.duty_standby import DutyStandby
from scada.blocks.dynamics import Filter, LeadLag
from scada.blocks.frost_protection import FrostProtection
from scada.blocks.hysteresis import Hysteresis
from scada.blocks.interlock import Interlock
from scada.blocks.logic import Counter, Edge, Latch
from scada.blocks.motor import Motor
from scada.blocks.on_off_valve import OnOffValve
from scada.blocks.override_select import OverrideSelect
from scada.blocks.own_block import Own
from scada.blocks.pid import Pid
from scada.blocks.ramp import Ramp
from scada.blocks.rate_limit import RateLimit
from scada.blocks.ratio import Ratio
from scada.blocks.schedule import Schedule
from scada.blocks.select import Select
from scada.blocks.setback import Setback
from scada.blocks.setpoint_reset import SetpointReset
from scada.blocks.split_range import SplitRange
from scada.blocks.switching import OnOff, ThreePosition
from scada.blocks.timer import Timer
from scada.blocks.totaliser import Totaliser
from scada.blocks.valve import Valve
from scada.blocks.vote import Vote
from tags import model

TYPES: dict[str, type[FunctionBlock]] = {
    block.type: block
    for block in (
        Calc,
        CauseEffect,
        Changeover,
        Characteriser,
        Compare,
        Counter,
        Damper,
        DeadTime,
        Drive,
        DutyStandby,
        Edge,
        Filter,
        FrostProtection,
        Hysteresis,
        Interlock,
        Latch,
        LeadLag,
        Motor,
        OnOff,
        OnOffValve,
        OverrideSelect,
        Own,
        Pid,
        Ramp,
        RateLimit,
        Ratio,
        Schedule,
        Select,
        Setback,
        SetpointReset,
        SplitRange,
        ThreePosition,
        Timer,
        Totaliser,
        Valve,
        Vote,
    )
}


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
