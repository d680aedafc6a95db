// Loads a node set beside the standard one and tells what node-opcua found in it, as JSON.
import { AddressSpace } from "node-opcua-address-space";
import { NodeClass } from "node-opcua-data-model";
import { nodesets } from "node-opcua-nodesets";
import { generateAddressSpace } from "node-opcua-address-space/nodeJS.js";

const [file, ...paths] = process.argv.slice(2);
const space = AddressSpace.create();
await generateAddressSpace(space, [nodesets.standard, file]);
const own = space.getNamespaceArray().findIndex((one) => one.namespaceUri.startsWith("urn:closedloop:"));
const found = {};
for (const path of paths) {
  const node = space.findNode(`ns=${own};s=${path}`);
  found[path] = node && {
    class: NodeClass[node.nodeClass],
    type: node.typeDefinitionObj?.browseName.name ?? null,
    children: node.getChildren ? node.findReferencesExAsObject("HierarchicalReferences").map((one) => one.browseName.name) : [],
    value: node.nodeClass === NodeClass.Variable ? node.readValue().value.value ?? null : null,
  };
}
console.log(JSON.stringify(found));
space.dispose();
