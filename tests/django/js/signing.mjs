// The npm package's `encode` and `decode`, under secrets and at times of the line.

export async function answerSigning({ createSessions, memory }, { signing, secrets, now = 1_893_456_000, data, texts }) {
  const sessions = createSessions({ store: memory(), secrets, clock: () => now * 1000 });
  const session = await sessions.open();
  if (signing === "encode") return Promise.all(data.map((pairs) => session.encode(pairs)));
  return Promise.all(texts.map(async (text) => Object.entries(await session.decode(text))));
}
