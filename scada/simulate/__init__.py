"""The simulated plants: demo, test bench and training simulator, speaking real Modbus/TCP on real sockets.

Here live the physics and the PLC programs of the demo plant (`water`, `air`, `truck`: pure, stepped with a time step,
seeded), the registers they share with the network, the server that carries them and the injection of faults. Nothing
here knows tags, control or history: a simulated PLC knows no more about us than a real one does.
"""
