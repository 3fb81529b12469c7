//! A prompt that fits its budget, and leaves as little of it as possible.

use tokio::task::yield_now;

use super::{FitError, Fitted, Measured, PromptBudget, SectionText};
use crate::share_search::{LeftOver, ReducedShare};

impl PromptBudget<'_> {
    /// Makes a prompt of at most `budget` tokens. `render` gets the sections' texts in their order.
    ///
    /// What fits as a whole stays whole. Counts of parts do not add up exactly, so otherwise the share of
    /// the sections is reduced until the prompt fits, and what is left over then goes to one of them. After
    /// some tries all sections are left out.
    pub(crate) async fn fit<E>(
        &self,
        sections: &[Measured<'_>],
        budget: u64,
        render: impl Fn(&[SectionText]) -> Result<String, E>,
    ) -> Result<Fitted, FitError<E>> {
        let made = |sections: Vec<SectionText>| {
            let prompt = render(&sections).map_err(FitError::Render)?;
            let total = (self.count)(&prompt);
            Ok((Fitted { prompt, sections }, total))
        };
        let wanted: u64 = sections.iter().map(|one| one.tokens).sum();
        // Above that the prompt cannot fit, however the counts of its parts add up.
        if wanted <= budget.saturating_mul(2)
            && sections.iter().all(|one| one.tokens <= self.max_section)
        {
            let whole = sections
                .iter()
                .map(|one| SectionText::new(one.whole.clone()));
            let (fitted, total) = made(whole.collect())?;
            if total <= budget {
                return Ok(fitted);
            }
        }
        let (bare, base) = made(vec![SectionText::left_out(); sections.len()])?;
        if base > budget {
            return Err(FitError::TooLong(base));
        }
        let blank = SectionText {
            text: String::new(),
            ..SectionText::left_out()
        };
        let (_, base) = made(vec![blank; sections.len()])?;
        let mut search = ReducedShare::new(budget.saturating_sub(base), budget);
        loop {
            let (fitted, total) = made(self.share(sections, search.share).await)?;
            if total <= budget {
                let left = LeftOver::of(budget, total);
                return self.fill(sections, fitted, left, made).await;
            }
            if !search.reduce(total) {
                return Ok(bare);
            }
        }
    }

    /// Gives what a prompt leaves of its budget to the largest section that is cut, those with priority first.
    async fn fill<E>(
        &self,
        sections: &[Measured<'_>],
        mut best: Fitted,
        mut left: LeftOver,
        made: impl Fn(Vec<SectionText>) -> Result<(Fitted, u64), FitError<E>>,
    ) -> Result<Fitted, FitError<E>> {
        let cut = best.sections.iter().zip(sections).enumerate();
        let cut = cut.filter(|(_, (text, one))| text.cut && one.tokens > 0);
        let largest =
            cut.max_by_key(|(_, (text, one))| (!text.left_out, one.section.priority, one.tokens));
        let Some((index, (text, _))) = largest else {
            return Ok(best);
        };
        let mut share = if text.left_out {
            0
        } else {
            (self.count)(&text.text)
        };
        while let Some(more) = left.more() {
            let wanted = share.saturating_add(more).min(self.max_section);
            if wanted <= share {
                break;
            }
            let filled = self.cut(&sections[index], wanted);
            yield_now().await;
            let tokens = (self.count)(&filled.text);
            if filled.left_out || tokens <= share {
                break;
            }
            let mut texts = best.sections.clone();
            texts[index] = filled;
            let (fitted, found) = made(texts)?;
            if left.fits(found) {
                (best, share) = (fitted, tokens);
            }
        }
        Ok(best)
    }
}
