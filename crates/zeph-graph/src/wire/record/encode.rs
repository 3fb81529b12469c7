//! Writing records, by hand: this is on the path of every commit.

use crate::{
    Answer, AskWhy, Attempt, ContentId, CutWhy, EndingWhy, Output, QuestionId, Record,
    ReservationId, SkipWhy, Spend, TaskId,
};

/// The JSON text of a record, without spaces.
///
/// # Examples
/// ```
/// use zeph_graph::{Attempt, Record, TaskId, wire};
/// let record = Record::Started { task: TaskId::from_index(3), attempt: Attempt::FIRST };
/// assert_eq!(wire::encode(&record), r#"{"type":"started","task":3,"attempt":1}"#);
/// ```
#[must_use]
pub fn encode(record: &Record) -> String {
    let mut text = String::with_capacity(64);
    encode_into(record, &mut text);
    text
}

/// Appends the JSON text of a record: [`encode`] without an allocation of its own.
pub fn encode_into(record: &Record, text: &mut String) {
    let mut object = Object { text };
    match *record {
        Record::Opened => object.open("opened"),
        Record::Readied { task } => object.about("readied", task),
        Record::Started { task, attempt } => {
            object.about("started", task);
            object.attempt(attempt);
        }
        Record::Completed { task, output, log } => {
            object.about("completed", task);
            if output != Output::None {
                object.key("output");
                object.output(output);
            }
            object.content("log", log);
        }
        Record::AttemptFailed {
            task,
            attempt,
            fault,
            error,
            log,
        } => {
            object.about("attempt_failed", task);
            object.attempt(attempt);
            object.word("fault", fault.word());
            object.content("error", error);
            object.content("log", log);
        }
        Record::AttemptCut {
            task,
            attempt,
            how,
            log,
        } => {
            object.about("attempt_cut", task);
            object.attempt(attempt);
            object.word("how", how.word());
            object.content("log", log);
        }
        Record::BackedOff { task, until } => {
            object.about("backed_off", task);
            object.number("until", until.as_micros());
        }
        Record::Asked { .. } | Record::Answered { .. } => object.question_record(record),
        Record::CancelRequested { task, attempt, why } => {
            object.about("cancel_requested", task);
            object.attempt(attempt);
            object.cut_why(why);
        }
        Record::Failed { task, why } => {
            object.about("failed", task);
            object.word("why", why.word());
        }
        Record::Skipped { task, why } => {
            object.about("skipped", task);
            object.skip_why(why);
        }
        Record::Canceled { task, why } => {
            object.about("canceled", task);
            object.word("why", why.word());
        }
        Record::Ending { why } => {
            object.open("ending");
            match why {
                EndingWhy::Abort(task) => object.inner_number("why", "abort", task),
                EndingWhy::Cancel => object.word("why", "cancel"),
                EndingWhy::Timeout => object.word("why", "timeout"),
            }
        }
        Record::Paused => object.open("paused"),
        Record::Unpaused => object.open("unpaused"),
        Record::Suspending => object.open("suspending"),
        Record::Suspended => object.open("suspended"),
        Record::Resumed => object.open("resumed"),
        Record::Reserved { .. }
        | Record::Settled { .. }
        | Record::Noted { .. }
        | Record::Amended { .. }
        | Record::Budgeted { .. } => object.door_record(record),
        Record::Ended { end } => {
            object.open("ended");
            object.word("end", end.word());
        }
    }
    object.text.push('}');
}

/// A JSON object being written. All its texts are words of this crate, so nothing needs escaping.
struct Object<'a> {
    text: &'a mut String,
}

impl Object<'_> {
    fn open(&mut self, kind: &str) {
        self.text.push_str(r#"{"type":""#);
        self.text.push_str(kind);
        self.text.push('"');
    }

    fn about(&mut self, kind: &str, task: TaskId) {
        self.open(kind);
        self.number("task", u64::from(task.as_u32()));
    }

    fn key(&mut self, key: &str) {
        self.text.push_str(",\"");
        self.text.push_str(key);
        self.text.push_str("\":");
    }

    fn number(&mut self, key: &str, number: u64) {
        self.key(key);
        push_number(self.text, number);
    }

    fn word(&mut self, key: &str, word: &str) {
        self.key(key);
        self.quoted(word);
    }

    fn quoted(&mut self, word: &str) {
        self.text.push('"');
        self.text.push_str(word);
        self.text.push('"');
    }

    /// `,"key":{"inner":`, to be closed with a brace.
    fn inner(&mut self, key: &str, inner: &str) {
        self.key(key);
        self.text.push('{');
        self.quoted(inner);
        self.text.push(':');
    }

    fn inner_number(&mut self, key: &str, inner: &str, task: TaskId) {
        self.inner(key, inner);
        push_number(self.text, u64::from(task.as_u32()));
        self.text.push('}');
    }

    fn inner_word(&mut self, key: &str, inner: &str, word: &str) {
        self.inner(key, inner);
        self.quoted(word);
        self.text.push('}');
    }

    fn attempt(&mut self, attempt: Attempt) {
        self.number("attempt", u64::from(attempt.get()));
    }

    fn question(&mut self, question: QuestionId) {
        self.number("question", u64::from(question.get()));
    }

    fn content(&mut self, key: &str, content: Option<ContentId>) {
        if let Some(content) = content {
            self.number(key, u64::from(content.get()));
        }
    }

    fn spend(&mut self, reservation: ReservationId, spend: Spend) {
        self.number("reservation", u64::from(reservation.get()));
        self.number("tokens", u64::from(spend.tokens));
        self.number("micro_usd", u64::from(spend.micro_usd));
    }

    /// A limit; nothing where there is none.
    fn limit(&mut self, key: &str, limit: u64) {
        if limit != u64::MAX {
            self.number(key, limit);
        }
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::None => self.quoted("none"),
            Output::Content(content) => {
                self.text.push_str("{\"content\":");
                push_number(self.text, u64::from(content.get()));
                self.text.push('}');
            }
            Output::Definition => self.quoted("definition"),
        }
    }

    fn question_record(&mut self, record: &Record) {
        if let Record::Asked {
            task,
            question,
            why,
        } = *record
        {
            self.about("asked", task);
            self.question(question);
            match why {
                AskWhy::Work => self.word("why", "work"),
                AskWhy::Approve => self.word("why", "approve"),
                AskWhy::Failure(fault) => self.inner_word("why", "failure", fault.word()),
            }
        }
        if let Record::Answered {
            task,
            question,
            answer,
            by_default,
        } = *record
        {
            self.about("answered", task);
            self.question(question);
            match answer {
                Answer::Yes => self.word("answer", "yes"),
                Answer::No => self.word("answer", "no"),
                Answer::Failure(answer) => {
                    self.inner_word("answer", "failure", answer.word());
                }
                Answer::Value(output) => {
                    self.inner("answer", "value");
                    self.output(output);
                    self.text.push('}');
                }
            }
            self.key("by_default");
            self.text
                .push_str(if by_default { "true" } else { "false" });
        }
    }

    fn door_record(&mut self, record: &Record) {
        if let Record::Reserved {
            task,
            reservation,
            most,
        } = *record
        {
            self.about("reserved", task);
            self.spend(reservation, most);
        }
        if let Record::Settled {
            task,
            reservation,
            spent,
        } = *record
        {
            self.about("settled", task);
            self.spend(reservation, spent);
        }
        if let Record::Noted {
            task,
            attempt,
            content,
        } = *record
        {
            self.about("noted", task);
            self.attempt(attempt);
            self.content("content", Some(content));
        }
        if let Record::Amended { task, content } = *record {
            self.about("amended", task);
            self.content("content", Some(content));
        }
        if let Record::Budgeted { budget } = *record {
            self.open("budgeted");
            self.limit("tokens", budget.tokens);
            self.limit("micro_usd", budget.micro_usd);
        }
    }

    fn skip_why(&mut self, why: SkipWhy) {
        match why {
            SkipWhy::Upstream(parent) => self.inner_number("why", "upstream", parent),
            SkipWhy::Declined => self.word("why", "declined"),
        }
    }

    fn cut_why(&mut self, why: CutWhy) {
        match why {
            CutWhy::Cancel(why) => self.inner_word("why", "cancel", why.word()),
            CutWhy::AttemptTimeout => self.word("why", "attempt_timeout"),
            CutWhy::TaskTimeout => self.word("why", "task_timeout"),
            CutWhy::Suspend => self.word("why", "suspend"),
        }
    }
}

/// Decimal digits without the machinery of formatting.
fn push_number(text: &mut String, mut number: u64) {
    // 20 digits are the most that a u64 has.
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    text.extend(digits[start..].iter().map(|&digit| char::from(digit)));
}
