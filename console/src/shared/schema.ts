// The API as its OpenAPI document describes it, in the shapes that calls use. `npm run generate` remakes the source.
import type { components, paths } from "@/generated/schema";

/** What the server sends and takes, by name. */
export type Schemas = components["schemas"];

type Filled<P extends string> = P extends `${infer Before}{${string}}${infer After}` ? `${Before}${string}${Filled<After>}` : P;

/** Addresses below /api/v1 that answer to a method, with anything in the place of a parameter. A wrong one does not compile. */
export type PathFor<Method extends "get" | "post" | "put" | "patch" | "delete"> = {
  [P in keyof paths & string]: paths[P] extends Record<Method, object> ? (P extends `/api/v1${infer Rest}` ? Filled<Rest> : never) : never;
}[keyof paths & string];
