// The public API of `edge-session/testing`.

export { cookieFor } from "./cookie.js";
export type { SessionsUnderTest } from "./cookie.js";
export { KvModel } from "./model.js";
export type { Fault, Operation, OperationKind } from "./fault.js";
export type { KvModelListOptions, KvModelNamespace, KvModelPage, KvModelPutOptions, KvModelReadOptions } from "./namespace.js";
export type { KvModelChanges, KvModelOptions, OperationCounts } from "./options.js";
export { storeContract } from "./store-contract.js";
export type { StoreContractOptions, StoreContractTest } from "./store-contract.js";
