// node node_server.mjs PORT TAGS: node-opcua's server with that many Doubles.
// A line `turn first count` on standard input gives that many variables a new value.
import { createRequire } from "node:module";
import readline from "node:readline";

const require = createRequire(new URL("../../tests/peers/package.json", import.meta.url));
const { OPCUAServer } = require("node-opcua-server");
const { DataType } = require("node-opcua-variant");
const { MessageSecurityMode, SecurityPolicy } = require("node-opcua-secure-channel");
const { nodesets } = require("node-opcua-nodesets");

const [port, tags] = process.argv.slice(2).map(Number);
const server = new OPCUAServer({
  port, hostname: "127.0.0.1", allowAnonymous: true, nodeset_filename: [nodesets.standard],
  securityModes: [MessageSecurityMode.None], securityPolicies: [SecurityPolicy.None], maxConnectionsPerEndpoint: 1000,
  serverCapabilities: { maxSessions: 1000, maxSubscriptionsPerSession: 100 },
});
await server.initialize();
const space = server.engine.addressSpace.getOwnNamespace();
const variables = [];
let folder;
for (let n = 0; n < tags; n++) {
  if (n % 100 === 0) folder = space.addFolder("ObjectsFolder", { browseName: `bench${n}` });
  const variable = space.addVariable({
    componentOf: folder, nodeId: `s=T-${n}`, browseName: `T-${n}`, dataType: "Double", minimumSamplingInterval: 50,
  });
  variable.setValueFromSource({ dataType: DataType.Double, value: 0 });
  variables.push(variable);
}
await server.start();
for await (const line of readline.createInterface({ input: process.stdin })) {
  const [turn, first, count] = line.split(" ").map(Number);
  for (let n = first; n < first + count; n++) {
    variables[n].setValueFromSource({ dataType: DataType.Double, value: turn });
  }
}
process.exit(0);
