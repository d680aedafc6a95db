// node-opcua as a client that sends any service: one process for a whole run, many sessions.
// Argument: folder of its certificates.   Input lines: {"id", "op", …}.   Output lines: {"id", "ok"} or {"id", "fault"} (a StatusCode).
// op connect: {session, url, policy, mode, user, password}; disconnect: {session, quiet}; call: {session, service, fields}.
// Fields: {"$type"} an ExtensionObject, {"$variant", "value"} a Variant, {"$date"} a time, {"$bytes"} a ByteString (base64).
import { readFileSync } from "node:fs";
import readline from "node:readline";
import * as all from "node-opcua-client";
import { OPCUACertificateManager } from "node-opcua-certificate-manager";
import * as types from "node-opcua-types";

const kinds = { ...all, ...types };
const [folder] = process.argv.slice(2);
const certificates = new OPCUACertificateManager({ rootFolder: folder, automaticallyAcceptUnknownCertificate: true });
await certificates.initialize();
const sessions = new Map();
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

function made(value) {
  if (Array.isArray(value)) return value.map(made);
  if (value === null || typeof value !== "object") return value;
  if ("$date" in value) return new Date(value.$date);
  if ("$bytes" in value) return Buffer.from(value.$bytes, "base64");
  if ("$variant" in value) {
    const inner = made(value.value);
    return new kinds.Variant({
      dataType: kinds.DataType[value.$variant],
      arrayType: Array.isArray(inner) ? kinds.VariantArrayType.Array : kinds.VariantArrayType.Scalar,
      value: value.$variant.endsWith("NodeId") ? (Array.isArray(inner) ? inner.map((one) => kinds.coerceNodeId(one)) : kinds.coerceNodeId(inner)) : inner,
    });
  }
  const fields = Object.fromEntries(Object.entries(value).filter(([key]) => key !== "$type").map(([key, one]) => [key, made(one)]));
  return "$type" in value ? new kinds[value.$type](fields) : fields;
}

const number64 = ([high, low]) => (BigInt(high >>> 0) << 32n | BigInt(low >>> 0));
function whole(kind, value) {
  if (!Array.isArray(value)) return value;
  const bits = number64(value);
  return Number(kind === "Int64" ? BigInt.asIntN(64, bits) : bits);
}

function shown(value) {
  if (value === undefined || value === null) return null;
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (typeof value !== "object") return value;
  if (value instanceof Date) return value.getTime() <= -11644473600000 ? null : value.toISOString();
  if (Buffer.isBuffer(value) || value instanceof Uint8Array) return "base64:" + Buffer.from(value).toString("base64");
  if (ArrayBuffer.isView(value)) return [...value].map(shown);
  if (Array.isArray(value)) return value.map(shown);
  if (value instanceof kinds.NodeId) return value.toString().replace(/^ns=0;/, "");
  if (value instanceof kinds.StatusCode) return value.value;
  if (value instanceof kinds.LocalizedText) return { text: value.text ?? null, locale: value.locale ?? null };
  if (value instanceof kinds.QualifiedName) return { ns: value.namespaceIndex, name: value.name };
  if (value instanceof kinds.Variant) {
    const type = kinds.DataType[value.dataType];
    if (type === "Null") return null;
    if (type === "Int64" || type === "UInt64") {
      const many = value.arrayType !== kinds.VariantArrayType.Scalar;
      return { type, value: many ? [...value.value].map((one) => whole(type, one)) : whole(type, value.value) };
    }
    if (type === "Guid") return { type, value: String(value.value).toLowerCase() };
    return { type, value: shown(value.value) };
  }
  if (value instanceof kinds.DataValue) {
    return {
      value: shown(value.value), status: value.statusCode.value,
      source: shown(value.sourceTimestamp), server: shown(value.serverTimestamp),
    };
  }
  const out = Object.fromEntries(Object.entries(value).filter(([key]) => !key.startsWith("_")).map(([key, one]) => [key, shown(one)]));
  return value.schema?.name ? { $type: value.schema.name, ...out } : out;
}

function identity({ user, password, certificate, key }) {
  if (certificate) {
    return { type: kinds.UserTokenType.Certificate, certificateData: readFileSync(certificate), privateKey: readFileSync(key, "ascii") };
  }
  return user ? { type: kinds.UserTokenType.UserName, userName: user, password } : undefined;
}

const operations = {
  async connect(order) {
    const client = kinds.OPCUAClient.create({
      applicationName: order.name ?? "peer", endpointMustExist: false, keepSessionAlive: false,
      securityMode: kinds.MessageSecurityMode[order.mode ?? "None"], securityPolicy: kinds.SecurityPolicy[order.policy ?? "None"],
      clientCertificateManager: certificates, connectionStrategy: { maxRetry: 0, initialDelay: 100 },
      requestedSessionTimeout: 600_000, transportTimeout: 600_000, defaultTransactionTimeout: 60_000,
    });
    client.on("backoff", () => {});
    try {
      await client.connect(order.url);
      const session = order.bare ? null : await client.createSession(identity(order));
      sessions.set(order.session, { client, session });
      return {};
    } catch (error) {
      await client.disconnect().catch(() => {});
      throw error;
    }
  },
  async disconnect({ session }) {
    const found = sessions.get(session);
    sessions.delete(session);
    if (found?.session) await found.session.close().catch(() => {});
    await found?.client.disconnect().catch(() => {});
    return {};
  },
  async change({ session, ...order }) {
    const found = sessions.get(session);
    const status = await found.client.changeSessionIdentity(found.session, identity(order) ?? { type: kinds.UserTokenType.Anonymous });
    if (status.value) throw Object.assign(new Error(status.toString()), { status });
    return {};
  },
  async call({ session, service, fields }) {
    const found = sessions.get(session);
    const request = new kinds[service + "Request"](made(fields));
    if (found.session) return shown(await found.session.performMessageTransaction(request));
    return shown(await new Promise((done, failed) => {
      found.client.performMessageTransaction(request, (error, response) => error ? failed(error) : done(response));
    }));
  },
};

async function serve(order) {
  try {
    say({ id: order.id, ok: await operations[order.op](order) });
  } catch (error) {
    const status = error.response?.responseHeader?.serviceResult ?? error.status
      ?? Object.values(kinds.StatusCodes).find((code) => code?.name && String(error.message).includes(code.name));
    say({ id: order.id, fault: status?.value ?? null, message: String(error.message ?? error) });
  }
}

say({ ready: true });
for await (const line of readline.createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  if (order.op === "end") break;
  void serve(order);
}
await Promise.all([...sessions.keys()].map((session) => operations.disconnect({ session })));
process.exit(0);
