const news = document.getElementById("news");
const source = new EventSource("/api/alarms/stream");
source.addEventListener("alarm", (event) => {
  const alarm = JSON.parse(event.data);
  const link = document.createElement("a");
  link.href = "/alarm?home=" + encodeURIComponent(alarm.home) + "&alarm=" + encodeURIComponent(alarm.alarm);
  const why = alarm.reasons.length > 0 ? alarm.reasons[0].why : "something unusual happened";
  link.textContent = "Alarm in " + alarm.home + ": " + why;
  news.replaceChildren(link);
});
source.addEventListener("withdrawn", (event) => {
  const alarm = JSON.parse(event.data);
  const link = news.querySelector("a");
  const path = "/alarm?home=" + encodeURIComponent(alarm.home) + "&alarm=" + encodeURIComponent(alarm.alarm);
  if (link && link.getAttribute("href") === path) news.replaceChildren();
});
