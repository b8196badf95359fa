// Questions to the server: the newest in each place wins, errors become one sentence.

const bytes = crypto.getRandomValues(new Uint8Array(9));
export const windowName = btoa(String.fromCharCode(...bytes));

export class Refused extends Error {}

async function sent(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new Refused("The studio does not answer. Is its command still running?");
  }
  const answer = await response.json().catch(() => ({ error: "The answer cannot be read." }));
  if (!response.ok) throw new Refused(answer.error || `The studio answered ${response.status}.`);
  return answer;
}

// The answer to a question, or null where a newer one took its place.
export async function post(address, body) {
  const answer = await sent(address, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ window: windowName, ...body }),
  });
  return answer.outdated ? null : answer;
}

export async function upload(model, file) {
  const query = new URLSearchParams({ model, name: file.name });
  return sent(`/upload?${query}`, { method: "POST", body: file });
}

// A function to call as often as one likes: one question is under way, then the newest is asked.
export function newest(address, answered, failed) {
  let underWay = false, next = null;
  async function run() {
    while (next !== null) {
      const body = next;
      next = null;
      try {
        const answer = await post(address, body);
        if (answer !== null && next === null) answered(answer, body);
        else if (answer !== null && !answer.preparing) answered(answer, body);
      } catch (error) {
        failed(error);
      }
    }
    underWay = false;
  }
  return (body) => {
    next = body;
    if (!underWay) {
      underWay = true;
      run();
    }
  };
}

// Work of minutes: started, then looked after until it ends.
export async function job(address, body, told) {
  const { job: handle, command } = await post(address, body);
  told({ state: "running", text: "", seconds: 0, command });
  let cancelled = false;
  const done = (async () => {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 700));
      if (cancelled) return null;
      const now = await post("/api/job/poll", { job: handle });
      if (now === null) continue;
      if (now.state === "failed") throw new Refused(now.text);
      if (now.state === "done") return now.result;
      told({ ...now, command });
    }
  })();
  const cancel = async () => {
    cancelled = true;
    await post("/api/job/cancel", { job: handle });
  };
  return { done, cancel, command };
}
