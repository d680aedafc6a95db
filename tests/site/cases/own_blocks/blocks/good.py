from scada.blocks.own import Input, Output, OwnBlock, Setting


class Good(OwnBlock):
    level: float = Input("cm")
    run: bool = Input()
    share: float = Setting(0.5, low=0, high=1)
    wait: float = Setting(10.0, "s")
    parts: int = Setting(3)
    name: str = Setting("x")
    out: float = Output("%")
    on: bool = Output()
    odd: float = Output("metre")

    def step(self, dt: float) -> None:
        self.out = self.level * self.share


class Twice(OwnBlock):
    q: bool = Output()

    def step(self, dt: float) -> None:
        self.q = True
