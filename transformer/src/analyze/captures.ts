/**
 * What a task's function takes from around it.
 *
 * Takes a site with a function of its own. Gives the parts of the source that move into the worker (the function, and local functions that it uses), the
 * captured variables in the order in which their values travel, and the references to the module's own bindings. Reports what can't be captured.
 * Bindings of an enclosing namespace that it exports are reached through the namespace (`A.x`), not captured.
 */
import type * as ts from "typescript";
import type { Reporter } from "../diagnostics/report";
import { type Binding, lookup, type Reference, type Scope } from "./bindings";
import { changeOfThis, functionOf, isAtTopLevel, isSharedMemory, nameOutside, qualifiedName, thisContainer, writes } from "./capture-rules";
import type { Module } from "./module";
import type { TaskSite } from "./sites";
import { contains, isContainer, isFunctionLike, rootOfAccess, useOf } from "./syntax";

export interface Hoisted {
  /** Function literals, declarations and `const f = …` declarators that move, in source order. */
  readonly parts: ts.Node[];
  /** The task's own function among them. */
  readonly fn: ts.Node;
  readonly captures: Capture[];
  /** An arrow function uses `this` of a function around it. It is the first value that travels. */
  readonly capturesThis: boolean;
  /** References in `parts` to bindings of the module. */
  readonly references: Reference[];
  /** Bindings of namespaces around it, by how they are written in the worker: `A.B.x`. */
  readonly qualified: Map<Binding, string>;
  /** Namespaces, and constants that hold a class, that `qualified` starts with. */
  readonly namespaces: Set<Binding>;
  /** The class whose `#private` names the parts use: they have to stay inside its body. */
  readonly privateOwner: ts.ClassLikeDeclaration | undefined;
  /** New names of bindings that would collide once everything stands in one place. */
  readonly renames: Map<Binding, string>;
}

export interface Capture {
  readonly binding: Binding;
  readonly reference: Reference;
}

/** Ranges of a site that leave the place where they stand: nothing that only they use is needed there. */
export function removedRanges(site: TaskSite): ts.Node[] {
  if (site.kind === "wrapper") return [site.argument];
  const { body, parameters } = site.fn;
  return [
    ...(body ? [body] : []),
    ...parameters.flatMap((p) => (p.initializer ? [p.initializer] : [])),
    ...parameters.flatMap((p) => (p.name.kind === parameterPattern(site, p) ? [] : [p.name])),
  ];
}

function parameterPattern(site: TaskSite, parameter: ts.ParameterDeclaration): ts.SyntaxKind {
  return site.module.ts.isIdentifier(parameter.name) ? parameter.name.kind : site.module.ts.SyntaxKind.Unknown;
}

export class Captures {
  private readonly cache = new Map<TaskSite, Hoisted | undefined>();

  constructor(
    private readonly module: Module,
    private readonly report: Reporter,
  ) {}

  /** Sites that are being computed, outermost first. */
  private readonly open = new Set<TaskSite>();
  /** Sites whose captures were found while the outermost open one's were, for when they turn out to need each other. */
  private readonly together = new Set<TaskSite>();
  private circular = false;

  /** Undefined for methods, and for wrappers of a function that the module declares or imports. */
  of(site: TaskSite): Hoisted | undefined {
    if (site.kind === "method") return undefined;
    if (this.open.has(site)) this.circular = true;
    if (!this.cache.has(site)) {
      this.cache.set(site, undefined);
      this.open.add(site);
      this.together.add(site);
      this.cache.set(site, this.compute(site));
      this.open.delete(site);
      if (this.open.size === 0) this.settle();
    }
    return this.cache.get(site);
  }

  /**
   * A local tagged function comes along as a stub, which needs what that function captures. Where two of them use each other, the one that was asked for
   * first was not known yet when the other was looked at: they are looked at again until none captures more.
   */
  private settle(): void {
    const sites = this.circular ? [...this.together] : [];
    this.circular = false;
    this.together.clear();
    for (let grows = sites.length > 0; grows;) {
      grows = false;
      for (const site of sites) {
        const before = this.cache.get(site)?.captures.length;
        const now = this.compute(site);
        this.cache.set(site, now);
        grows ||= now?.captures.length !== before;
      }
    }
  }

  private compute(site: TaskSite): Hoisted | undefined {
    return new Collector(this.module, this.report, site, (inner) => this.of(inner)).collect();
  }
}

class Collector {
  private readonly parts: ts.Node[] = [];
  /** By part: what of it stays away, because it is another task's. */
  private readonly removed = new Map<ts.Node, readonly ts.Node[]>();
  private readonly queue: { node: ts.Node; through: Binding | undefined }[] = [];
  private readonly captures: Capture[] = [];
  private readonly captured = new Set<Binding>();
  private readonly along = new Set<Binding>();
  private readonly outer: Reference[] = [];
  private readonly qualified = new Map<Binding, string>();
  private readonly namespaces = new Set<Binding>();
  private capturesThis = false;
  private privateOwner: ts.ClassLikeDeclaration | undefined;
  /** Where the stub reads what travels. */
  private readonly place: Scope | undefined;

  constructor(
    private readonly module: Module,
    private readonly report: Reporter,
    private readonly site: TaskSite,
    private readonly inner: (site: TaskSite) => Hoisted | undefined,
  ) {
    const { byNode, declared } = module.scopes;
    this.place = (site.kind === "wrapper" ? byNode.get(rootOfAccess(module.ts, site.call.expression)) : declared.get(site.fn))?.scope;
  }

  collect(): Hoisted | undefined {
    const { site } = this;
    const fn: ts.Node = site.fn;
    this.queue.push({ node: fn, through: undefined });
    for (let next = this.queue.shift(); next; next = this.queue.shift()) this.addPart(next.node, next.through);
    this.parts.sort((a, b) => a.pos - b.pos);
    this.captures.sort((a, b) => a.reference.node.pos - b.reference.node.pos);
    return {
      parts: this.parts,
      fn,
      captures: this.captures,
      capturesThis: this.capturesThis,
      references: this.outer,
      qualified: this.qualified,
      namespaces: this.namespaces,
      privateOwner: this.privateOwner,
      renames: this.renames(),
    };
  }

  private addPart(node: ts.Node, through: Binding | undefined): void {
    if (this.hasAlong(node)) return;
    this.parts.push(node);
    const nested = this.module.sites.filter(
      (site) => site !== this.site && site.kind !== "method" && contains(node, site.kind === "wrapper" ? site.call : site.fn),
    );
    const removed = [...nested.flatMap(removedRanges), ...nested.flatMap((site) => (site.kind === "wrapper" ? [site.mark] : []))];
    this.removed.set(node, removed);
    for (const reference of this.module.references(node)) {
      if (!removed.some((range) => contains(range, reference.node))) this.reference(reference, node, through);
    }
    for (const site of nested) {
      const hoisted = this.inner(site);
      for (const capture of hoisted?.captures ?? []) this.reference(capture.reference, node, through);
    }
    this.contexts(node, through);
  }

  /** Whether one of the parts brings the node along: one around it does not when the node is in the body of a task in it, of which only the stub comes. */
  private hasAlong(node: ts.Node): boolean {
    return this.parts.some((part) => contains(part, node) && !this.removed.get(part)?.some((range) => contains(range, node)));
  }

  private reference(reference: Reference, part: ts.Node, through: Binding | undefined): void {
    const { binding } = reference;
    const { ts } = this.module;
    if (!binding) {
      if (reference.name === "eval" && ts.isCallExpression(reference.node.parent) && reference.node.parent.expression === reference.node) {
        this.fail(reference.node, through, "a direct `eval`");
      }
      return;
    }
    if (contains(part, binding.scope.node) || this.hasAlong(binding.scope.node)) return;
    if (this.site.kind === "tag" && binding.declarations.includes(this.site.fn)) {
      if (binding.scope.kind !== "module") this.alone(binding, [this.site.fn], reference, through);
      // A call of itself stays in the worker; anything else that is done with its name means the parallel function.
      else if (!isCallee(ts, reference.node)) this.outer.push(reference);
      return;
    }
    if (binding.scope.kind === "module") {
      if (!binding.ambient) this.outer.push(reference);
      return;
    }
    if (binding.scope.kind === "namespace" || binding.scope.kind === "enum") {
      const path = qualifiedName(binding);
      if (path) {
        this.qualified.set(binding, path.text);
        this.namespaces.add(path.root);
        return;
      }
    }
    const constant = nameOutside(this.module, binding);
    if (constant) {
      this.qualified.set(binding, constant.name);
      this.namespaces.add(constant);
      return;
    }
    this.local(binding, reference, through);
  }

  private local(binding: Binding, reference: Reference, through: Binding | undefined): void {
    const { ts } = this.module;
    // A tagged function comes along too: as its stub, because its own code is a task of its own.
    const literal = functionOf(this.module, binding);
    if (literal) {
      const write = writes(this.module, binding)[0];
      if (write) return this.captureError("MP1004", binding, write, reference, through);
      this.alone(binding, literal, reference, through);
      for (const part of literal) if (!this.parts.includes(part)) this.queue.push({ node: part, through: binding });
      return;
    }
    if (binding.kind === "class" || binding.kind === "enum" || binding.kind === "namespace") {
      const what = binding.kind;
      const isHidden = binding.scope.kind === "namespace" && !binding.exported;
      const where = isHidden ? "its namespace does not export" : "is declared inside a function";
      if (through) {
        this.site.invalid = true;
        this.report.add(
          "MP1007",
          firstUse(this.site, through) ?? reference.node,
          {
            task: this.site.name,
            name: through.name,
            reason: `it uses the ${what} \`${binding.name}\`, which ${where}`,
          },
          [{ node: reference.node, message: `\`${binding.name}\` is used here` }],
        );
        return;
      }
      this.site.invalid = true;
      const or = isHidden ? ", or export it from its namespace" : "";
      this.report.add("MP1006", reference.node, { task: this.site.name, what, name: binding.name, where, or }, declarationsOf(binding));
      return;
    }
    for (const write of writes(this.module, binding)) {
      const inTask = this.parts.some((part) => contains(part, write.node)) || contains(this.site.fn, write.node);
      this.captureError(inTask ? "MP1005" : "MP1004", binding, write, reference, through);
    }
    const use = useOf(ts, reference.node);
    const changes = use === "mutate" || (use === "call" && isContainer(ts, binding.declarations[0]));
    if (changes && !isSharedMemory(this.module, binding)) {
      this.report.add("MP2001", reference.node, { task: this.site.name, name: binding.name }, declarationsOf(binding));
    }
    if (this.captured.has(binding)) return;
    this.captured.add(binding);
    const meant = this.place ? lookup(this.place, binding.name, "value") : binding;
    if (meant !== binding) {
      const message = `where the task stands, \`${binding.name}\` means this`;
      this.hidden(
        reference.node,
        through,
        `\`${binding.name}\``,
        declarationsOf(meant).map(({ node }) => ({ node, message })),
      );
    }
    this.captures.push({ binding, reference });
  }

  /** A function that comes along is made anew in the worker, so that it has none of the properties that code around it sets. Those that its own code sets, a cache, it sets there too. */
  private alone(binding: Binding, fn: readonly ts.Node[], reference: Reference, through: Binding | undefined): void {
    const { ts } = this.module;
    if (this.along.has(binding)) return;
    this.along.add(binding);
    const moves = ({ node }: Reference): boolean => [...fn, this.site.fn, ...this.parts].some((part) => contains(part, node));
    const uses = binding.references.filter(({ erased }) => !erased);
    const set = uses.find((use) => useOf(ts, use.node) === "mutate" && !moves(use));
    if (!set || uses.every((use) => !moves(use) || isCallee(ts, use.node))) return;
    this.site.invalid = true;
    this.report.add(
      "MP1007",
      (through && firstUse(this.site, through)) ?? reference.node,
      { task: this.site.name, name: binding.name, reason: "it has properties, which are set where it stands" },
      [{ node: set.node, message: `a property of \`${binding.name}\` is set here` }],
    );
  }

  /** A local function needs what, at the place of the task, has another meaning, so that the stub can't read it. */
  private hidden(node: ts.Node, through: Binding | undefined, what: string, related: { node: ts.Node; message: string }[]): void {
    this.site.invalid = true;
    this.report.add(
      "MP1007",
      (through && firstUse(this.site, through)) ?? node,
      {
        task: this.site.name,
        name: through?.name ?? this.site.name,
        reason: `it uses ${what}, which means something else where the task stands`,
      },
      [{ node, message: `${what} is used here` }, ...related],
    );
  }

  private captureError(
    code: "MP1004" | "MP1005",
    binding: Binding,
    write: Reference,
    reference: Reference,
    through: Binding | undefined,
  ): void {
    this.site.invalid = true;
    if (through && code === "MP1005") {
      this.report.add(
        "MP1007",
        firstUse(this.site, through) ?? reference.node,
        { task: this.site.name, name: through.name, reason: `it assigns to \`${binding.name}\`` },
        [{ node: write.node, message: `\`${binding.name}\` is assigned here` }],
      );
      return;
    }
    this.report.add(code, write.node, { task: this.site.name, name: binding.name }, [
      ...(reference.node === write.node ? [] : [{ node: reference.node, message: `\`${this.site.name}\` captures it here` }]),
      ...declarationsOf(binding),
    ]);
  }

  /** `this`, `arguments`, `super`, `new.target` and `with` in a part. */
  private contexts(part: ts.Node, through: Binding | undefined): void {
    const { ts } = this.module;
    const visit = (node: ts.Node, ownThis: boolean): void => {
      if (ts.isWithStatement(node)) this.fail(node, through, "a `with` statement");
      if (ts.isTypeNode(node)) return;
      if (ts.isPrivateIdentifier(node)) this.privateName(node, part);
      if (!ownThis) {
        if (node.kind === ts.SyntaxKind.ThisKeyword) this.usesThis(node, part, through);
        else if (node.kind === ts.SyntaxKind.SuperKeyword) this.context(node, part, through, "super");
        else if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.NewKeyword) this.context(node, part, through, "new.target");
        else if (
          ts.isIdentifier(node) &&
          node.text === "arguments" &&
          this.module.scopes.byNode.get(node)?.binding === undefined &&
          this.module.scopes.byNode.has(node)
        ) {
          this.context(node, part, through, "arguments");
        }
      }
      const binds =
        (isFunctionLike(ts, node) && !ts.isArrowFunction(node)) || ts.isPropertyDeclaration(node) || ts.isClassStaticBlockDeclaration(node);
      ts.forEachChild(node, (child) => visit(child, ownThis || (binds && child !== (node as ts.NamedDeclaration).name)));
    };
    visit(part, false);
  }

  private privateName(node: ts.PrivateIdentifier, part: ts.Node): void {
    const { ts } = this.module;
    let owner: ts.Node = node.parent;
    while (!ts.isSourceFile(owner) && !(ts.isClassLike(owner) && owner.members.some((member) => member.name?.getText() === node.text)))
      owner = owner.parent;
    if (!ts.isClassLike(owner) || contains(part, owner)) return;
    if (!isAtTopLevel(this.module, owner)) {
      this.site.invalid = true;
      this.report.add("MP1018", node, { task: this.site.name, name: node.text });
    } else if (!this.privateOwner || contains(this.privateOwner, owner)) this.privateOwner = owner;
  }

  private usesThis(node: ts.Node, part: ts.Node, through: Binding | undefined): void {
    const { ts } = this.module;
    const around = thisContainer(this.module, part);
    if (!around || ts.isModuleDeclaration(around)) return;
    const isStatic =
      ts.isClassStaticBlockDeclaration(around) ||
      (ts.isClassElement(around) && (ts.getCombinedModifierFlags(around as ts.Declaration) & ts.ModifierFlags.Static) !== 0);
    if (isStatic) {
      this.site.invalid = true;
      this.report.add("MP1009", node, { task: this.site.name });
      return;
    }
    const change = changeOfThis(this.module, node, around.parent);
    if (change) {
      if (!change.deep) this.site.invalid = true;
      this.report.add(change.deep ? "MP2006" : "MP1012", change.access, { task: this.site.name, name: change.name });
    }
    const { site } = this;
    if (!this.capturesThis && around !== thisContainer(this.module, site.kind === "wrapper" ? site.call : site.fn))
      this.hidden(node, through, "`this`", []);
    this.capturesThis = true;
  }

  private context(node: ts.Node, part: ts.Node, through: Binding | undefined, what: string): void {
    const around = thisContainer(this.module, part);
    if (!around) return;
    this.site.invalid = true;
    if (through) {
      this.report.add(
        "MP1007",
        firstUse(this.site, through) ?? node,
        { task: this.site.name, name: through.name, reason: `it uses \`${what}\` of the function around it` },
        [{ node, message: `\`${what}\` is used here` }],
      );
    } else this.report.add("MP1008", node, { task: this.site.name, what });
  }

  private fail(node: ts.Node, through: Binding | undefined, what: string): void {
    this.site.invalid = true;
    const values = { task: through?.name ?? this.site.name, what };
    this.report.add("MP1015", node, values);
  }

  /** Bindings that will be parameters or declarations of one factory must differ in name from each other and from what the parts use of the module. */
  private renames(): Map<Binding, string> {
    const renames = new Map<Binding, string>();
    const taken = new Set<string>(this.outer.map((reference) => reference.name));
    for (const part of this.parts) {
      for (const reference of this.module.references(part)) if (!reference.binding || reference.binding.ambient) taken.add(reference.name);
    }
    for (const namespace of this.namespaces) taken.add(namespace.name);
    for (const binding of [...this.captures.map((capture) => capture.binding), ...this.along]) {
      let name = binding.name;
      for (let index = 1; taken.has(name) || (name !== binding.name && this.module.scopes.names.has(name)); index++)
        name = `${binding.name}$${index}`;
      taken.add(name);
      if (name !== binding.name) renames.set(binding, name);
    }
    return renames;
  }
}

function isCallee(ts: Module["ts"], node: ts.Node): boolean {
  return ts.isCallExpression(node.parent) && node.parent.expression === node;
}

function declarationsOf(binding: Binding | undefined): { node: ts.Node; message: string }[] {
  const declaration = binding?.declarations[0];
  const name = declaration && ((declaration as ts.NamedDeclaration).name ?? declaration);
  return name ? [{ node: name, message: `\`${binding?.name}\` is declared here` }] : [];
}

function firstUse(site: TaskSite, binding: Binding): ts.Node | undefined {
  return binding.references.find((reference) => contains(site.fn, reference.node))?.node;
}
