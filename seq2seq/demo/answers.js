// Lets no answer be lost on a slow line (see visitor.py). Gradio's page hears all its answers on one stream, which the server
// closes as soon as no question waits. A page that asks just then, as every `.then` does, takes its stream for open still, and is
// never told the answer. So the reply to a question is held back until the stream has spoken of it or is closed.

((fetched) => {
  let stream = null; // the one that is open

  function opened() {
    const heard = new Set(); // the questions of which it has spoken
    const held = new Map(); // those whose reply is held back -> what lets it go
    let text = "";
    const letGo = (ids) =>
      ids.forEach((id) => {
        held.get(id)();
        held.delete(id);
      });
    return {
      until: (id) => heard.has(id) || new Promise((go) => held.set(id, go)),
      close: () => letGo([...held.keys()]),
      // Whether that has let a reply go.
      take(chunk) {
        text += chunk;
        for (const [, id] of text.matchAll(/"event_id":"([^"\\]+)"/g)) heard.add(id);
        text = text.slice(-99); // a chunk may end within an id, which is shorter
        const now = [...held.keys()].filter((id) => heard.has(id));
        letGo(now);
        return now.length > 0;
      },
    };
  }

  async function listen(request) {
    const mine = (stream = opened());
    const close = () => {
      if (stream === mine) stream = null;
      mine.close();
    };
    request.signal.addEventListener("abort", close); // which Gradio does when it is told that the stream is closed
    try {
      const reply = await fetched(request);
      const decoder = new TextDecoder();
      const through = new TransformStream({
        async transform(chunk, controller) {
          // The reply first, then what is said of it.
          if (mine.take(decoder.decode(chunk, { stream: true }))) await new Promise((go) => setTimeout(go));
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
    if (!stream || !reply.ok || !pathname.endsWith("/queue/join")) return reply;
    const { event_id } = await reply.clone().json();
    if (stream) await stream.until(event_id);
    return reply;
  };
})(window.fetch.bind(window));
