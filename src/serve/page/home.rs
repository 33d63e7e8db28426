//! One home: a day of it, what follows what, and what shifts changed.

use jiff::civil::Date;
use maud::{Markup, html};

use super::super::recent::{Glance, Home};
use super::day::{Day, days};
use super::graph::graph;
use super::homes::list;
use super::said::{erase, mode, shift};
use super::shifts::shifts;
use super::timeline::timeline;
use super::words::{day as named, link, when};

/// The page of a home.
pub(super) fn home(
    name: &str,
    (glance, home): &(Glance, Home),
    date: Option<Date>,
    form: &str,
) -> Markup {
    let days = days(home);
    let date = date
        .filter(|date| days.contains(date))
        .or(days.first().copied());
    let day = date.and_then(|date| Day::of(home, date));
    let alarms: Vec<_> = home
        .alarms
        .iter()
        .rev()
        .map(|entry| entry.line.clone())
        .collect();
    html! {
        nav aria-label="Where you are" { a href="/" { "Homes" } " / " span aria-current="page" { (name) } }
        h1 { (name) }
        p.lead { @if let Some(newest) = glance.newest { "Last heard of " (when(newest)) "." } @else { "Nothing of this home was scored yet." } }
        section aria-labelledby="day" {
            h2 #day { @match &day { Some(day) => { (named(day.date)) }, None => "Days" } }
            @if let Some(day) = &day { (choice(name, &days, day.date)) (timeline(day)) }
            @else { p.empty { "Of this home nothing is kept: nothing came lately, or there was no room for it. What comes from now on is shown here." } }
        }
        section aria-labelledby="alarms" {
            h2 #alarms { "Alarms" }
            @if alarms.is_empty() { p.empty { "None stands." } }
            (list(&alarms, false))
        }
        section aria-labelledby="graph" {
            h2 #graph { "What follows what" }
            (graph(home))
            p { a href=(link("/learnt", &[("name", name)])) { "What is learnt of this home" } }
        }
        section aria-labelledby="shifts" {
            h2 #shifts { "What shifts changed" }
            (shifts(home))
            (shift(name, glance, form))
            (mode(name, glance, form))
        }
        section aria-labelledby="forget" {
            h2 #forget { "Forget" }
            (erase(name, &day, form))
        }
    }
}

fn choice(name: &str, days: &[Date], shown: Date) -> Markup {
    html! {
        nav aria-label="Days" {
            ul.days { @for date in days.iter().rev() {
                @let text = date.strftime("%a %-d %b").to_string();
                li {
                    @if *date == shown { span aria-current="date" { (text) } }
                    @else { a href=(link("/home", &[("name", name), ("day", &date.to_string())])) { (text) } }
                }
            } }
        }
    }
}
