from scada.blocks.own import Output, OwnBlock


class Twice(OwnBlock):
    q: bool = Output()

    def step(self, dt: float) -> None:
        self.q = True
