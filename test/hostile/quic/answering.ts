/** What a program of this folder, in a process of its own, has in common with the others: it answers questions. */

export interface Question<T> {
  id: number;
  question: T;
}

export type Answer<T> = { id: number; answer: T } | { id: number; error: string };

/** Says `ready`, then answers whatever it is asked, each when the answer is there. Ends with whoever started it. */
export function answering(ready: unknown, answer: (question: never) => Promise<unknown>): void {
  process.on("message", ({ id, question }: Question<never>) => {
    answer(question).then(
      (answer) => process.send!({ id, answer }),
      (error: unknown) => process.send!({ id, error: String(error) }),
    );
  });
  process.on("disconnect", () => process.exit());
  process.send!(ready);
}
