//! Calls that outlive the answer they were made for, and what is told about them.

use super::{Invocation, ToolOutcome, ToolStatus, ToolUse, Tools};
use crate::answer::Answer;
use crate::ids::InvocationId;
use crate::output::Output;
use crate::session::Session;
use crate::time::CallTime;

impl Tools {
    pub(super) fn next_id(&mut self) -> InvocationId {
        self.invocations += 1;
        InvocationId(self.invocations)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Invocation> {
        self.round.iter().chain(&self.background)
    }

    pub(super) fn find(&mut self, id: InvocationId) -> Option<&mut Invocation> {
        self.round.iter_mut().chain(&mut self.background).find(|invocation| invocation.id == id)
    }

    pub(super) fn running(&self) -> usize {
        self.all().filter(|invocation| !invocation.is_done()).count()
    }

    /// The next deadline of a call.
    pub(crate) fn deadline(&self) -> Option<CallTime> {
        self.all().filter_map(Invocation::deadline).min()
    }

    /// What the model should know about calls that go on.
    pub(crate) fn pending(&self) -> Vec<ToolUse> {
        self.background.iter().map(Invocation::as_use).collect()
    }
}

impl Session {
    /// Nobody waits for the round any more: what only reads is called off, what has begun to change something goes on.
    pub(crate) fn abandon_tools(&mut self) {
        self.tools.wanted.clear();
        let unfinished: Vec<_> = self.tools.round.iter().filter(|one| !one.is_done() && !one.must_go_on()).collect();
        let called_off: Vec<_> = unfinished.into_iter().map(|one| (one.id, one.is_running())).collect();
        for (id, running) in called_off {
            if running {
                self.out(Output::CancelInvocation { invocation: id });
            }
            let why = "It was called off and not done: the caller went on speaking. Do it again if it is still wanted.";
            self.tool_over(id, ToolOutcome::failed("called_off", why));
        }
        let (done, going_on): (Vec<_>, Vec<_>) = self.tools.round.drain(..).partition(Invocation::is_done);
        self.history.push_uses(done.iter().map(Invocation::as_use).collect());
        self.tools.background.extend(going_on);
    }

    /// Calls of earlier turns that are done become part of what the model reads.
    pub(super) fn file_background(&mut self) -> bool {
        let (done, going_on): (Vec<_>, Vec<_>) = self.tools.background.drain(..).partition(Invocation::is_done);
        self.tools.background = going_on;
        let any = !done.is_empty();
        self.history.push_uses(done.iter().map(Invocation::as_use).collect());
        self.tools.untold |= any;
        any
    }

    /// Tells a caller who waits what came of a call of an earlier turn.
    pub(super) fn follow_up(&mut self) -> bool {
        if !self.tools.untold || !self.nothing_happens() {
            return false;
        }
        self.answer = Some(Answer::follow_up(self.ids.turns_taken(), self.now));
        self.generate(Vec::new());
        true
    }

    /// The call ends: what was not heard of by now never will be.
    pub(crate) fn close_tools(&mut self) {
        let open = self.tools.all().filter(|one| !one.is_done());
        let open: Vec<_> = open.map(|one| (one.id, one.is_running(), one.must_go_on())).collect();
        for (id, running, unknown) in open {
            if running {
                self.out(Output::CancelInvocation { invocation: id });
            }
            let status = if unknown { ToolStatus::Unknown } else { ToolStatus::Failed };
            let result = "The call ended before an answer came.".to_owned();
            self.tool_over(id, ToolOutcome { status, result, error: Some("call_ended") });
        }
        self.tools.round.clear();
        self.tools.background.clear();
    }
}
