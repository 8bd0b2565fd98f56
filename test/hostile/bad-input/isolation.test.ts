import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { memoryKind, quicKind, rejection } from "../../support/hub.ts";
import { tryAll } from "./bad-input.ts";
import { http3Kind } from "./http3-kind.ts";
import { isolation, isolationWithFewStreams } from "./isolation-cases.ts";
import { Scene } from "./scene.ts";

tryAll(isolation);
tryAll(isolationWithFewStreams);

describe.each([memoryKind, quicKind, http3Kind])("who may not know, over $name", (kind) => {
  let scene: Scene;
  let isOpen = true;
  beforeAll(async () => {
    scene = await Scene.start(kind, {
      authenticate: ({ requestedId }) => {
        if (!isOpen) throw new Error("Not you");
        return { id: requestedId };
      },
    });
    isOpen = false;
  });
  afterAll(() => scene.end());

  test("is not told by a refusal whether somebody of that id is here", async () => {
    const [present, absent] = [await rejection(scene.hub.join("alice")), await rejection(scene.hub.join("nobody"))];
    expect(present).toMatchObject({ code: "refused", message: "Not you", remote: true });
    expect(JSON.stringify(present)).toBe(JSON.stringify(absent));
    expect((present as Error).message).toBe((absent as Error).message);
    await scene.goesOn();
    await scene.isTidy();
  });
});
