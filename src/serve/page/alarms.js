const news = document.getElementById("news");

const raised = (event) => {
  const alarm = JSON.parse(event.data);
  const link = document.createElement("a");
  link.href = "/alarm?home=" + encodeURIComponent(alarm.home) + "&alarm=" + encodeURIComponent(alarm.alarm);
  const why = alarm.reasons.length > 0 ? alarm.reasons[0].why : "something unusual happened";
  link.textContent = "Alarm in " + alarm.home + ": " + why;
  news.replaceChildren(link);
};

const withdrawn = (event) => {
  const alarm = JSON.parse(event.data);
  const link = news.querySelector("a");
  const path = "/alarm?home=" + encodeURIComponent(alarm.home) + "&alarm=" + encodeURIComponent(alarm.alarm);
  if (link && link.getAttribute("href") === path) news.replaceChildren();
};

let source = null;
let last = "";

// A browser has six connections to a server for all its pages, those that were left and may be gone back to among them.
const listen = () => {
  if (source || document.visibilityState === "hidden") return;
  source = new EventSource("/api/alarms/stream?after=" + encodeURIComponent(last));
  for (const [name, told] of Object.entries({ begin: () => {}, alarm: raised, withdrawn })) {
    source.addEventListener(name, (event) => {
      last = event.lastEventId;
      told(event);
    });
  }
};

const leave = () => {
  if (source) source.close();
  source = null;
};

document.addEventListener("visibilitychange", () => (document.visibilityState === "hidden" ? leave() : listen()));
addEventListener("pagehide", leave);
addEventListener("pageshow", listen);
listen();
