//! Senses of the keys that are no fields: each is in one of these lists, or it is not understood.

use super::words::is_one_of;

/// What a key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sense {
    /// Nothing about what is done, whatever its value is.
    Remark,
    /// Nothing, if its value is a text in prose.
    Prose,
    /// An object of further keys, each of which is judged by itself.
    Container,
    /// A state or a result, which a plan cannot set.
    State,
    /// A part of the instruction: a text for the one who does the task.
    Instruction,
    /// The place of a task among the others.
    Order(Order),
    /// A switch. It changes nothing if it has this value.
    Switch(bool),
    /// Nothing that is known.
    Unknown,
}

/// The ways to say the place of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// A number for each task, in the order of the list.
    Number,
    /// A group that comes before or after another group.
    Group,
}

const REMARKS: &str = "tag tags labels category categories priority importance urgency version schema title name label \
     rationale reason reasoning why explanation thought thoughts thinking justification confidence complexity \
     difficulty effort duration time_estimate estimate eta color icon emoji created_at updated_at \
     generator generated_by risk risks estimated_time estimated_duration estimated_cost story_points";
/// Remarks about a whole plan, or about the answer around it.
const ROOT_REMARKS: &str = "goal goals objective topic subject purpose note notes comment comments remark remarks \
     language id description summary overview analysis assumptions source by author created_by total_tasks task_count num_tasks \
     total_steps step_count count";
const ROOT_PROSE: &str = "message text content strategy approach response answer";
/// Two words of these make a remark: `priority_level`, `duration_minutes`.
const QUANTITIES: &str = "estimated estimate estimation expected approximate approx time duration minutes minute hours hour \
     seconds days effort points in level score priority importance complexity difficulty risk confidence weight";
/// At least one of them must be there.
const MEASURED: &str =
    "estimated estimate duration effort priority importance complexity difficulty risk confidence";
const CONTAINERS: &str = "metadata meta annotations attributes extra extras info additional_info";
/// In an object of remarks these say who wrote the task; at a task itself they may say who does it.
const CREDITS: &str = "source by author created_by";
const STATES: &str = "state status result results output outputs outcome error errors attempt attempts \
     started_at finished_at completed completed_at done progress finished success";
const INSTRUCTIONS: &str = "note notes comment comments remark remarks summary context background constraint constraints \
     criteria acceptance_criteria success_criteria expected_output expected_result expected_outcome \
     expected_response output_format response_format format output_description deliverable deliverables \
     language tone style audience topic subject focus goal goals purpose aim scope hint hints guideline \
     guidelines rule rules example examples specification specifications length word_count word_limit \
     max_words additional_instructions extra_instructions additional_context warning warnings assumptions \
     definition_of_done method methodology approach strategy steps substeps sub_steps checklist verification";
/// Parts of the instruction that may also stand at a command: they are words about it.
const NOTES: &str = "note notes comment comments remark remarks summary goal goals purpose";
const NUMBERS: &str = "order order_index sequence sequence_number seq step step_number step_no number no index position \
     execution_order run_order task_number task_index";
const GROUPS: &str = "stage phase level wave batch round tier rank";
/// Switches that say what holds for every task: it runs, by itself, as soon as its needs have ended.
const ON: &str = "enabled enable active mandatory included include automatic automated auto run should_run \
     run_automatically necessary parallel parallelizable parallel_execution run_in_parallel \
     can_run_in_parallel can_be_parallel concurrent blocking";
/// Switches that say the contrary.
const OFF: &str = "disabled disable skip skipped manual optional offline dry_run simulate simulated draft excluded exclude \
     deprecated conditional deferred postponed blocked async asynchronous background detached sequential serial \
     critical requires_approval approval_required needs_approval require_approval requires_confirmation confirm \
     human_in_the_loop requires_human human interactive repeat loop recurring periodic scheduled retry \
     cached sudo unsafe";
/// Without a value they say nothing; with one they are not understood.
const STRUCTURE: &str = "subtasks sub_tasks children input inputs conditions condition next dependents blocks attachments \
     files links edges retries";

/// What a key in folded form says, in a task, or in a plan and around it.
pub(super) fn sense(folded: &str, in_task: bool) -> Sense {
    let short = folded.strip_prefix("is_").unwrap_or(folded);
    let short = short.strip_prefix("task_").unwrap_or(short);
    let is = |words| is_one_of(words, folded) || is_one_of(words, short);
    if is(STATES) {
        Sense::State
    } else if is(CONTAINERS) {
        Sense::Container
    } else if is(REMARKS) || is_measure(folded) || (!in_task && is(ROOT_REMARKS)) {
        Sense::Remark
    } else if !in_task && is(ROOT_PROSE) {
        Sense::Prose
    } else if in_task && is(INSTRUCTIONS) {
        Sense::Instruction
    } else if in_task && is(NUMBERS) {
        Sense::Order(Order::Number)
    } else if in_task && is(GROUPS) {
        Sense::Order(Order::Group)
    } else if is(ON) {
        Sense::Switch(true)
    } else if is(OFF) {
        Sense::Switch(false)
    } else {
        Sense::Unknown
    }
}

/// Whether a part of the instruction only says what a task is for.
pub(super) fn is_note(folded: &str) -> bool {
    is_one_of(NOTES, folded)
}

/// Whether a key in an object of remarks says who wrote the task.
pub(super) fn is_credit(folded: &str) -> bool {
    is_one_of(CREDITS, folded)
}

/// Whether an unknown key says nothing if its list or object is empty. Of `tools` in another word it would
/// say that the task has none.
pub(super) fn is_structure(folded: &str) -> bool {
    is_one_of(STRUCTURE, folded)
}

fn is_measure(folded: &str) -> bool {
    let mut words = folded.split('_').filter(|word| *word != "task");
    words.clone().count() > 1
        && words.clone().any(|word| is_one_of(MEASURED, word))
        && words.all(|word| is_one_of(QUANTITIES, word))
}

/// The word of order and the number in a text such as `phase1`, `step_2` or `Stage 3: read`.
pub(super) fn order_in_text(text: &str) -> Option<(&'static str, Order, u64)> {
    let folded = super::words::fold(text);
    let start = folded.find(|c: char| c.is_ascii_digit())?;
    let (word, rest) = folded.split_at(start);
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let number = rest[..digits].parse().ok()?;
    let word = word.trim_end_matches('_');
    let found = |words: &'static str| words.split_ascii_whitespace().find(|one| *one == word);
    let is_end = rest[digits..].is_empty() || rest[digits..].starts_with('_');
    let number_word = found(NUMBERS).map(|word| (word, Order::Number, number));
    let found = number_word.or_else(|| found(GROUPS).map(|word| (word, Order::Group, number)));
    found.filter(|_| is_end)
}

#[cfg(test)]
mod tests {
    use super::{Order, Sense, order_in_text, sense};

    #[test]
    fn a_key_has_one_sense() {
        for (key, wanted) in [
            ("priority", Sense::Remark),
            ("priority_level", Sense::Remark),
            ("duration_minutes", Sense::Remark),
            ("is_completed", Sense::State),
            ("constraints", Sense::Instruction),
            ("is_optional", Sense::Switch(false)),
            ("enabled", Sense::Switch(true)),
            ("stage", Sense::Order(Order::Group)),
            ("step_number", Sense::Order(Order::Number)),
            ("duration_limit", Sense::Unknown),
            ("start_in_days", Sense::Unknown),
            ("when", Sense::Unknown),
        ] {
            assert_eq!(sense(key, true), wanted, "{key}");
        }
        assert_eq!(sense("constraints", false), Sense::Unknown);
        assert_eq!(sense("goal", false), Sense::Remark);
    }

    #[test]
    fn an_order_is_found_in_a_name() {
        let found = |text| order_in_text(text).map(|(word, _, number)| (word, number));
        assert_eq!(found("phase1"), Some(("phase", 1)));
        assert_eq!(found("Step 2: read"), Some(("step", 2)));
        assert_eq!(found("step-2b"), None);
        assert_eq!(found("task 2"), None);
        assert_eq!(found("2"), None);
    }
}
