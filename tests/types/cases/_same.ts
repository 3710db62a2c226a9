/** `true` only for types that are the same, `any` and `never` included. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Fails to compile unless its argument's type is the type parameter's. */
export declare function is<A>(): <B>(value: B, ...same: Same<A, B> extends true ? [] : [wrong: { expected: A; actual: B }]) => void;
