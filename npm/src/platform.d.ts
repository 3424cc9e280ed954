// Declarations of the platform modules that the entries import.

declare module "node:buffer" {
  export const Buffer: { from(text: string, encoding: "base64"): Uint8Array<ArrayBuffer> };
}

/** A file of the build, inlined as base64. */
declare module "#*.wasm" {
  const base64: string;
  export default base64;
}

declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

declare module "cloudflare:workers" {
  /** The part of the platform's class that `SessionObject` uses. */
  export abstract class DurableObject {
    constructor(context: DurableObjectState, env: unknown);
    protected ctx: DurableObjectState;
    alarm?(): Promise<void>;
  }

  interface DurableObjectState {
    readonly storage: {
      /** The synchronous key-value interface of SQLite storage. */
      readonly kv: {
        get<T>(key: string): T | undefined;
        put(key: string, value: unknown): void;
        delete(key: string): boolean;
        list<T>(): Iterable<[string, T]>;
      };
      setAlarm(milliseconds: number): Promise<void>;
      deleteAlarm(): Promise<void>;
      deleteAll(): Promise<void>;
    };
  }
}

/** The environment variables of Node, which bundlers replace by texts. */
declare const process: { readonly env: { readonly NODE_ENV?: string } };
