// node-opcua as a third-party client: watches tags, and writes those that standard input names.
// Arguments: URL USER PASSWORD TAG…      Input lines: {"path", "value", "type"} or {"done": true}
// Output lines: {"certificate"} with a user, which waits for any line; {"ready"}, {"path", "value", "status"} for each change, {"wrote", "status"} for each write.
import readline from "node:readline";
import {
  AttributeIds, ClientMonitoredItem, ClientSubscription, DataType, MessageSecurityMode, OPCUAClient, SecurityPolicy,
  TimestampsToReturn, UserTokenType,
} from "node-opcua-client";
import { OPCUACertificateManager } from "node-opcua-certificate-manager";

const [url, folder, user, password, ...paths] = process.argv.slice(2);
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

const certificates = new OPCUACertificateManager({ rootFolder: folder, automaticallyAcceptUnknownCertificate: true });
await certificates.initialize();
const secure = user !== "";
const client = OPCUAClient.create({
  endpointMustExist: false,
  securityMode: secure ? MessageSecurityMode.SignAndEncrypt : MessageSecurityMode.None,
  securityPolicy: secure ? SecurityPolicy.Basic256Sha256 : SecurityPolicy.None,
  clientCertificateManager: certificates,
  connectionStrategy: { maxRetry: 3, initialDelay: 200 },
});
const orders = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
if (secure) { // whoever runs the server trusts this certificate, and then says so
  await client.createDefaultCertificate();
  say({ certificate: client.getCertificate().toString("base64") });
  await orders.next();
}
await client.connect(url);
const session = await client.createSession(
  secure ? { type: UserTokenType.UserName, userName: user, password } : undefined,
);
const subscription = ClientSubscription.create(session, {
  requestedPublishingInterval: 100, requestedLifetimeCount: 600, requestedMaxKeepAliveCount: 20,
  maxNotificationsPerPublish: 1000, publishingEnabled: true, priority: 1,
});
for (const path of paths) {
  const item = ClientMonitoredItem.create(
    subscription, { nodeId: `ns=2;s=${path}`, attributeId: AttributeIds.Value },
    { samplingInterval: 50, discardOldest: true, queueSize: 10 }, TimestampsToReturn.Both,
  );
  item.on("changed", (data) => say({
    path, value: data.value.value ?? null, status: data.statusCode.value, name: data.statusCode.name, at: Date.now(),
  }));
}
say({ ready: true });
for await (const line of { [Symbol.asyncIterator]: () => orders }) {
  const order = JSON.parse(line);
  if (order.done) break;
  // The whole call may be refused (a service fault) or one node of it.
  const status = await session.write({
    nodeId: `ns=2;s=${order.path}`, attributeId: AttributeIds.Value,
    value: { value: { dataType: DataType[order.type], value: order.value } },
  }).catch((error) => error.response?.responseHeader.serviceResult ?? { value: -1, name: String(error) });
  say({ wrote: order.path, status: status.value, name: status.name });
}
await subscription.terminate();
await session.close();
await client.disconnect();
process.exit(0);
