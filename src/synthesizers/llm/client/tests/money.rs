//! Nothing is sent without money, and not too much at once.

use futures_util::future::join_all;

use super::*;

#[tokio::test]
async fn without_money_there_is_no_connection() {
    let server = Server::new(vec![say(fine())]);
    let purse = Ledger::for_attempts(0);
    let answer = client(&server).complete(&call(Format::Auto), &purse).await;
    assert!(
        matches!(answer, Err(CallError::Unaffordable(_))),
        "{answer:?}"
    );
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn attempts_that_may_have_cost_something_use_the_money_up() {
    let server = Server::new(vec![vec![Step::Read]]);
    let purse = Ledger::for_attempts(3);
    let answer = client(&server).complete(&call(Format::Auto), &purse).await;
    assert!(
        matches!(answer, Err(CallError::Unaffordable(_))),
        "{answer:?}"
    );
    assert_eq!((server.connections(), purse.counts().spent), (3, 3));
}

#[tokio::test]
async fn a_call_that_is_given_up_leaves_its_money_spent_and_its_place_free() {
    let server = Server::new(vec![vec![Step::Read, Step::Hang], say(fine())]);
    let client = Client::new(Options {
        concurrency: NonZeroUsize::MIN,
        ..options(&server)
    });
    let client = client.unwrap();
    let purse = Ledger::rich();
    let given_up = call(Format::Auto);
    tokio::select! {
        _ = client.complete(&given_up, &purse) => panic!("it hangs"),
        () = async { while server.requests().is_empty() { sleep(Duration::from_millis(1)).await } } => (),
    }
    assert_eq!(purse.counts().spent, 1);
    assert!(complete(&client).await.0.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_requests_at_once_than_allowed() {
    let slow = [
        vec![Step::Read, Step::Wait(Duration::from_millis(5))],
        vec![Step::Say(fine().into())],
    ]
    .concat();
    let server = Server::new(vec![slow]);
    let client = Client::new(Options {
        concurrency: NonZeroUsize::new(3).unwrap(),
        ..options(&server)
    });
    let client = client.unwrap();
    let answers = join_all((0..40).map(|_| complete(&client))).await;
    assert!(answers.iter().all(|(answer, _)| answer.is_ok()));
    assert_eq!((server.connections(), server.most_at_once()), (40, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_bears_one_request_at_a_time_answers_all_calls_in_the_end() {
    // Every other request is turned away, whoever sends it.
    let scripts = (0..60).map(|number| match number % 2 {
        0 => say(http(429, &[], "{}")),
        _ => say(fine()),
    });
    let server = Server::new(scripts.collect());
    let client = Client::new(Options {
        attempts: attempts(20),
        ..options(&server)
    });
    let client = client.unwrap();
    let answers = join_all((0..20).map(|_| complete(&client))).await;
    assert!(answers.iter().all(|(answer, _)| answer.is_ok()));
    assert!(
        answers
            .iter()
            .all(|(_, counts)| counts.spent == 0 && counts.settled.len() == 1)
    );
}
