// node-opcua as a third-party client: reads the history of one tag in all ways.
// Arguments: URL FOLDER NODE START END (ISO 8601).      Output: one line of JSON.
import {
  AttributeIds, AggregateFunction, HistoryReadRequest, MessageSecurityMode, OPCUAClient, ReadAtTimeDetails,
  ReadRawModifiedDetails, SecurityPolicy, TimestampsToReturn,
} from "node-opcua-client";
import { OPCUACertificateManager } from "node-opcua-certificate-manager";

const [url, folder, nodeId, start, end] = process.argv.slice(2);
const certificates = new OPCUACertificateManager({ rootFolder: folder, automaticallyAcceptUnknownCertificate: true });
await certificates.initialize();
const client = OPCUAClient.create({
  endpointMustExist: false, securityMode: MessageSecurityMode.None, securityPolicy: SecurityPolicy.None,
  clientCertificateManager: certificates, connectionStrategy: { maxRetry: 3, initialDelay: 200 },
});
await client.connect(url);
const session = await client.createSession();
const plain = (values) => values.map((data) => [
  data.sourceTimestamp.getTime(), data.value?.value ?? null, data.statusCode.value,
]);

async function read(historyReadDetails) {
  const rows = [];
  let pages = 0;
  let continuationPoint;
  do {
    const answer = await session.historyRead(new HistoryReadRequest({
      historyReadDetails, timestampsToReturn: TimestampsToReturn.Both, releaseContinuationPoints: false,
      nodesToRead: [{ nodeId, continuationPoint }],
    }));
    const [result] = answer.results;
    if (result.statusCode.isBad()) throw new Error(result.statusCode.toString());
    rows.push(...plain(result.historyData.dataValues));
    continuationPoint = result.continuationPoint;
    pages += 1;
  } while (continuationPoint?.length);
  return { rows, pages };
}

const range = { startTime: new Date(start), endTime: new Date(end) };
const raw = await read(new ReadRawModifiedDetails({ isReadModified: false, numValuesPerNode: 0, returnBounds: false, ...range }));
const at = await read(new ReadAtTimeDetails({ reqTimes: [range.startTime], useSimpleBounds: true }));
const aggregate = await session.readAggregateValue(
  { nodeId }, range.startTime, range.endTime, AggregateFunction.TimeAverage2, (range.endTime - range.startTime) / 5,
);
const historizing = await session.read({ nodeId, attributeId: AttributeIds.Historizing });
const found = {
  raw, at: at.rows, aggregate: plain(aggregate.historyData.dataValues), status: aggregate.statusCode.value,
  historizing: historizing.value.value,
};
await session.close();
await client.disconnect();
process.stdout.write(JSON.stringify(found) + "\n", () => process.exit(0));
