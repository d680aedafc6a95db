"""A whole plant in virtual time: the real programs of field and control, simulated PLCs, faults, and a judge.

What lives here: a world whose clock jumps from one event to the next (`world`), the network between field and the
PLCs (`wire`), the processes of a plant as they run in it (`control`, `machine`), what goes wrong and who asks for
what (`faults`, `people`), the rules that must hold all the time (`judge`, `truth`), and the run as a whole (`run`).

Nothing here sleeps or opens a socket, and everything that is random comes from one seed: the same seed gives the same
run, to the bit. What runs in this world is the code that runs a plant: `scada.scan.step`, the poller with its link
logic, plan, decoder and output state machine, the process image and its rings, the judgement of the supervisor.

What may not: any rule of the plant itself. A simulation that knew better than the product would prove nothing.
"""
