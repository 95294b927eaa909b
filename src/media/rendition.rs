//! Renditions: encodings of one captured picture at several sizes and bit rates, of which each receiver is sent one.

use super::VideoBudget;

/// Renditions at most; the first is the largest, and the only one in a call of two.
pub const RENDITIONS: usize = 3;

/// The captured picture that renditions are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PictureSource {
    /// Lines of it.
    pub lines: u32,
    /// Bit rate that the settings allow for it, in kbit/s.
    pub max_kbps: u32,
}

impl PictureSource {
    /// Bit rate of the picture for somebody who draws `max_lines` lines of it, where the path carries it, in kbit/s.
    pub fn wanted_kbps(self, max_lines: u32) -> u32 {
        let lines = f64::from(max_lines) / f64::from(self.lines.max(1));
        (f64::from(self.max_kbps) * lines.min(1.0).powi(2)) as u32
    }
}

/// One rendition of the next picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenditionPlan {
    /// Bounds of the encoding.
    pub budget: VideoBudget,
    /// Somebody needs a keyframe.
    pub keyframe: bool,
}

/// Renditions of the next picture; `None`: nobody watches that one, and its encoder need not be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenditionPlans([Option<RenditionPlan>; RENDITIONS]);

impl RenditionPlans {
    /// Plans by rendition.
    pub fn of(plan: impl FnMut(usize) -> Option<RenditionPlan>) -> Self {
        Self(std::array::from_fn(plan))
    }

    /// The first rendition alone, within this budget.
    pub fn one(budget: VideoBudget) -> Self {
        Self::of(|rendition| (rendition == 0).then_some(RenditionPlan { budget, keyframe: false }))
    }

    /// The plan of a rendition.
    pub fn get(&self, rendition: usize) -> Option<RenditionPlan> {
        self.0.get(rendition).copied().flatten()
    }

    /// All renditions, those that a keyframe is due for first: whoever goes over to one of them is not sent the same
    /// picture of another.
    pub fn in_order(&self) -> impl Iterator<Item = (usize, Option<RenditionPlan>)> {
        let is_due = |plan: &Option<RenditionPlan>| plan.is_some_and(|plan| plan.keyframe);
        let all = move |due: bool| (0..RENDITIONS).zip(self.0).filter(move |(_, plan)| is_due(plan) == due);
        all(true).chain(all(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renditions_with_a_keyframe_due_come_first_and_each_once() {
        let plan = |keyframe| Some(RenditionPlan { budget: VideoBudget::UNLIMITED, keyframe });
        for (plans, order) in [
            ([plan(false), plan(true), None], [1, 0, 2]),
            ([plan(true), plan(false), plan(true)], [0, 2, 1]),
            ([plan(false), None, None], [0, 1, 2]),
        ] {
            assert_eq!(RenditionPlans(plans).in_order().map(|(rendition, _)| rendition).collect::<Vec<_>>(), order);
        }
        let one = RenditionPlans::one(VideoBudget::UNLIMITED);
        assert_eq!((one.get(0), one.get(1), one.get(9)), (plan(false), None, None));
    }
}
