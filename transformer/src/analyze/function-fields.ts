/**
 * Fields that hold functions of their class: `handler = () => this.count`, `readonly rules = { even: (n: number) => n % 2 === 0 }`, `run = this.run.bind(this)`,
 * the last also as a statement of the constructor.
 *
 * Functions don't travel. These need not: what makes them runs nothing of the user's, so that the class makes them anew on each instance that is revived.
 * Whether an instance still has the ones that it was made with is found out when it travels (the runtime's codec/function-fields.ts).
 */
import type * as ts from "typescript";
import type { TypeScript } from "../core";
import { hasModifier, unwrap } from "./syntax";

/** Whether it is such a field of an instance. Decorators may have put anything in the place of the value. */
export function isFunctionField(
  ts: TypeScript,
  member: ts.ClassElement,
): member is ts.PropertyDeclaration & { initializer: ts.Expression } {
  if (!ts.isPropertyDeclaration(member) || !member.initializer) return false;
  if (hasModifier(ts, member, ts.SyntaxKind.StaticKeyword) || (ts.getDecorators(member) ?? []).length > 0) return false;
  return functionsIn(ts, member).length > 0;
}

/** The functions in the field's initialiser, a method that it binds among them; none when it does anything else. */
export function functionsIn(ts: TypeScript, { initializer, parent }: ts.PropertyDeclaration): ts.Node[] {
  const found: ts.Node[] = [];
  const isPlain = (expression: ts.Expression): boolean => {
    const value = unwrap(ts, expression);
    if (ts.isArrowFunction(value) || ts.isFunctionExpression(value)) return found.push(value) > 0;
    if (ts.isArrayLiteralExpression(value)) return value.elements.every(isPlain);
    if (ts.isObjectLiteralExpression(value)) {
      return value.properties.every((property) => {
        if (property.name && ts.isComputedPropertyName(property.name)) return false;
        if (ts.isMethodDeclaration(property)) return found.push(property) > 0;
        return ts.isPropertyAssignment(property) && isPlain(property.initializer);
      });
    }
    const method = boundMethod(ts, value, parent as ts.ClassLikeDeclaration);
    if (method) return found.push(method) > 0;
    return isLiteral(ts, value);
  };
  return initializer && isPlain(initializer) ? found : [];
}

function isLiteral(ts: TypeScript, value: ts.Expression): boolean {
  if (ts.isPrefixUnaryExpression(value)) return ts.isNumericLiteral(value.operand);
  const { kind } = value;
  return (
    ts.isLiteralExpression(value) ||
    kind === ts.SyntaxKind.TrueKeyword ||
    kind === ts.SyntaxKind.FalseKeyword ||
    kind === ts.SyntaxKind.NullKeyword
  );
}

/** `this.run.bind(this)` of a method that the class itself has. */
function boundMethod(ts: TypeScript, value: ts.Expression, owner: ts.ClassLikeDeclaration): ts.MethodDeclaration | undefined {
  if (!ts.isCallExpression(value) || value.arguments.length !== 1 || value.arguments[0]!.kind !== ts.SyntaxKind.ThisKeyword)
    return undefined;
  const bind = value.expression;
  if (!ts.isPropertyAccessExpression(bind) || bind.name.text !== "bind") return undefined;
  const name = nameAfterThis(ts, bind.expression);
  return owner.members.find(
    (member): member is ts.MethodDeclaration =>
      ts.isMethodDeclaration(member) &&
      member.body !== undefined &&
      !hasModifier(ts, member, ts.SyntaxKind.StaticKeyword) &&
      member.name.getText() === name,
  );
}

function nameAfterThis(ts: TypeScript, node: ts.Expression): string | undefined {
  const isOfThis = ts.isPropertyAccessExpression(node) && (node.expression as ts.Node).kind === ts.SyntaxKind.ThisKeyword;
  return isOfThis ? node.name.text : undefined;
}

/** `this.run = this.run.bind(this)` among the statements of the class's constructor: the method by the name of the field. */
export function boundInConstructor(ts: TypeScript, owner: ts.ClassLikeDeclaration): Map<string, ts.MethodDeclaration> {
  const found = new Map<string, ts.MethodDeclaration>();
  for (const member of owner.members) {
    if (!ts.isConstructorDeclaration(member)) continue;
    for (const statement of member.body?.statements ?? []) {
      const assignment = ts.isExpressionStatement(statement) ? statement.expression : undefined;
      if (!assignment || !ts.isBinaryExpression(assignment) || assignment.operatorToken.kind !== ts.SyntaxKind.EqualsToken) continue;
      const name = nameAfterThis(ts, assignment.left);
      const method = boundMethod(ts, unwrap(ts, assignment.right), owner);
      if (name !== undefined && method) found.set(name, method);
    }
  }
  return found;
}
