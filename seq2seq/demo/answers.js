// Stands between Gradio's page and its server (see visitor.py).
//
// It lets no answer be lost on a slow line. Gradio's page hears all its answers on one stream, which the server closes as soon
// as no question waits. A page that asks just then, as every `.then` does, takes its stream for open still, and is never told
// the answer. So the reply to a question is held back until a stream has spoken of it or is closed.
//
// And it has a refused file say why: Gradio's page would show the JSON that the reason comes in (see guard.py).

((fetched) => {
  const heard = new Set(); // questions that a stream has spoken of
  const held = new Map(); // questions whose reply is held back -> what lets it go
  let stream = null; // the request of the one that is open

  function letGo(id) {
    const go = held.get(id);
    held.delete(id);
    if (go) go();
    return Boolean(go);
  }

  async function listen(request) {
    stream = request;
    const close = () => {
      if (stream !== request) return;
      stream = null;
      [...held.keys()].forEach(letGo);
    };
    request.signal.addEventListener("abort", close); // which Gradio does when it is told that the stream is closed
    try {
      const reply = await fetched(request);
      const decoder = new TextDecoder();
      let text = "";
      const through = new TransformStream({
        async transform(chunk, controller) {
          text += decoder.decode(chunk, { stream: true });
          const ids = new Set([...text.matchAll(/"event_id":"([^"\\]+)"/g)].map(([, id]) => id));
          text = text.slice(-99); // a chunk may end within an id, which is shorter
          ids.forEach((id) => heard.add(id));
          // The reply first, then what is said of it.
          if ([...ids].filter(letGo).length) await new Promise((go) => setTimeout(go));
          controller.enqueue(chunk);
        },
      });
      reply.body.pipeTo(through.writable).catch(() => {}).finally(close);
      return new Response(through.readable, reply);
    } catch (error) {
      close();
      throw error;
    }
  }

  window.fetch = async (input, options) => {
    const { pathname } = new URL(input.url || input, location.href);
    if (pathname.endsWith("/queue/data")) return listen(new Request(input, options));
    const reply = await fetched(input, options);
    if (!reply.ok && pathname.endsWith("/upload")) {
      const { detail } = await reply.json().catch(() => ({})); // a proxy may have refused it, with a page of its own
      return new Response(detail || reply.statusText, { status: reply.status });
    }
    if (!reply.ok || !pathname.endsWith("/queue/join")) return reply;
    const { event_id } = await reply.clone().json();
    if (stream && !heard.has(event_id)) await new Promise((go) => held.set(event_id, go));
    return reply;
  };
})(window.fetch.bind(window));
