"""What the class of a driver tells a site compiler: settings, addresses, problems. Nothing of it needs a device."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from scada.field.contract.peer import Given, Peer
from scada.field.contract.rig import CLOCK, config_of, run, tags_of
from tags.model import Device

_NO_ADDRESSES = ("", " ", "\0", "?" * 200, "-1")


class Declared(Given):
    """Tests of `Config`, `parse_address` and `check`."""

    def test_good_settings_are_taken_and_come_back_from_json(self) -> None:
        """A site is compiled once and read by every service as JSON."""

        async def test() -> None:
            peer = await self._peer()
            config = self.driver.Config.model_validate(dict(peer.config))
            data = orjson.loads(orjson.dumps(config.model_dump(mode="json")))
            assert self.driver.Config.model_validate(data) == config

        run(test)

    def test_an_unknown_setting_is_refused(self) -> None:
        """A misspelt key must not pass in silence: `extra="forbid"`."""

        async def test() -> None:
            peer = await self._peer()
            with pytest.raises(ValidationError):
                self.driver.Config.model_validate({**peer.config, "no_such_setting": 1})

        run(test)

    def test_bad_settings_are_refused_with_a_sentence(self) -> None:
        """Each refusal says something."""

        async def test() -> None:
            peer = await self._peer()
            for settings in self.bad_configs:
                with pytest.raises(ValidationError) as error:
                    self.driver.Config.model_validate({**peer.config, **settings})
                assert all(problem["msg"].strip() for problem in error.value.errors()), settings

        run(test)

    def test_settings_do_not_change(self) -> None:
        """Frozen: what was checked is what runs."""

        async def test() -> None:
            config: Any = config_of(self, (await self._peer()).config)
            with pytest.raises((ValidationError, AttributeError, TypeError)):
                setattr(config, next(iter(self.driver.Config.model_fields)), "other")

        run(test)

    def test_an_address_is_plain_json_and_always_the_same(self) -> None:
        """It is kept in the compiled site."""

        async def test() -> None:
            config = config_of(self, (await self._peer()).config)
            for point in self.points:
                address = self.driver.parse_address(point.address, point.type, config)
                assert orjson.loads(orjson.dumps(address)) == address
                assert self.driver.parse_address(point.address, point.type, config) == address

        run(test)

    def test_what_is_no_address_is_refused_with_a_sentence(self) -> None:
        """ValueError, whatever the text is, and its message says what is wrong."""

        async def test() -> None:
            config = config_of(self, (await self._peer()).config)
            nonsense = [(text, point.type) for text in _NO_ADDRESSES for point in self.points]
            for text, type_ in (*self.bad_addresses, *nonsense):
                with pytest.raises(ValueError) as error:  # noqa: PT011 - any sentence will do
                    self.driver.parse_address(text, type_, config)
                assert str(error.value).strip(), f"{text!r} as {type_}: refused without a word"

        run(test)

    def test_a_good_site_has_no_problems(self) -> None:
        """`check` finds nothing wrong with the points of this test."""

        async def test() -> None:
            config = config_of(self, (await self._peer()).config)
            assert list(self.driver.check(config, tags_of(self, self.points, config))) == []
            assert list(self.driver.check(config, [])) == []

        run(test)

    def test_what_is_wrong_together_is_reported_by_path(self) -> None:
        """(tag path, sentence); the path is one of the tags that were given."""

        async def test() -> None:
            config = config_of(self, (await self._peer()).config)
            if self.misfits:
                tags = tags_of(self, self.misfits, config)
                problems = list(self.driver.check(config, tags))
                assert problems
                for path, sentence in problems:
                    assert path in {tag.path for tag in tags}
                    assert sentence.strip()

        run(test)

    def test_elements_of_arrays_have_addresses(self) -> None:
        """Where the driver has `element`: the first is the array's own place, each is JSON, and no two are one."""

        async def test() -> None:
            element = getattr(self.driver, "element", None)
            if element is None:
                return
            config = config_of(self, (await self._peer()).config)
            for point in self.points:
                first = self.driver.parse_address(point.address, point.type, config)
                found = [orjson.dumps(element(first, index, 0)) for index in range(3)]
                assert found[0] == orjson.dumps(first)
                assert len(set(found)) == 3

        run(test)

    def test_what_else_is_said_of_a_good_site_is_nothing_bad(self) -> None:
        """Where the driver has `together`, `budget` or `dated`."""

        async def test() -> None:
            config = config_of(self, (await self._peer()).config)
            tags = tags_of(self, self.points, config)
            device = Device(name="PLC1", driver="", service="field", config=config.model_dump(mode="json"))
            if together := getattr(self.driver, "together", None):
                assert list(together([(device, config)])) == []
            if budget := getattr(self.driver, "budget", None):
                found = budget([(device, config, tags)])
                assert (list(found.problems), {load.device for load in found.loads}) == ([], {"PLC1"})
            if dated := getattr(self.driver, "dated", None):
                assert all(
                    isinstance(now, bool) and text.strip() for now, text in dated(config, CLOCK.utc_ns())
                )

        run(test)

    async def _peer(self) -> Peer:
        """Settings may be known only once it listens."""
        peer = self.peer()
        await peer.start()
        await peer.stop()
        return peer
