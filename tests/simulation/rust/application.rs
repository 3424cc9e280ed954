//! The application: what the handler of a request does with its session.

use edge_session::{ErrorKind, Session, Sessions};

use crate::history::{Id, Marks, Origin, SaveMark};
use crate::plan::{Action, KEYS, Step, USER};
use crate::simulation::Simulation;
use crate::store::{RecordingStore, writer};

fn kind(error: edge_session::Error) -> ErrorKind {
    error.kind()
}

impl Simulation {
    pub async fn handle(
        &self,
        sessions: &Sessions<RecordingStore>,
        session: &mut Session,
        id: Id,
        step: &Step,
    ) -> Result<(), ErrorKind> {
        if matches!(step.action, Action::Pass | Action::Clear(_)) {
            self.model.sleep(step.work).await;
            return if let Action::Clear(key) = step.action { self.clear(session, id, key) } else { Ok(()) };
        }
        let seen = look(session);
        self.history.borrow_mut().request(id).seen = seen.as_ref().ok().copied();
        self.model.sleep(step.work).await;
        let seen = seen?;
        match step.action {
            Action::Set(keys) => keys.into_iter().try_for_each(|key| self.set(session, id, key)),
            Action::Break(key) => self.set(session, id, key),
            Action::Remove(key) if seen[key].present => {
                self.touch(id, key, true);
                session.remove(KEYS[key]).map_err(kind)
            }
            Action::Create(key) => {
                self.create(session, id);
                self.set(session, id, key)
            }
            Action::SaveEarly(key) => {
                self.set(session, id, key)?;
                self.start_writing(id);
                let _ = sessions.save(session).await.map_err(kind)?;
                self.model.sleep(step.work).await;
                session.set(KEYS[key], format!("{id}.again")).map_err(kind)
            }
            Action::Throw { key, login } => {
                if login {
                    session.cycle_key().map_err(kind)?;
                }
                session.set(KEYS[key], self.value(id)).map_err(kind)
            }
            Action::Login { switch } => {
                if switch && seen[USER].present {
                    self.flush(sessions, session, id).await?;
                } else {
                    self.rotate(session, id)?;
                }
                self.touch(id, USER, false);
                session.set(KEYS[USER], format!("{id}.")).map_err(kind)
            }
            Action::Logout => self.flush(sessions, session, id).await,
            _ => Ok(()),
        }
    }

    fn value(&self, id: Id) -> String {
        format!("{id}.{}", "x".repeat(self.plan.padding))
    }

    fn touch(&self, id: Id, key: usize, removes: bool) {
        let mut history = self.history.borrow_mut();
        history.request(id).touched.insert(key);
        if removes {
            history.request(id).removed.insert(key);
        } else {
            history.request(id).removed.remove(&key);
        }
    }

    pub fn set(&self, session: &mut Session, id: Id, key: usize) -> Result<(), ErrorKind> {
        self.touch(id, key, false);
        session.set(KEYS[key], self.value(id)).map_err(kind)
    }

    fn clear(&self, session: &mut Session, id: Id, key: usize) -> Result<(), ErrorKind> {
        (0..KEYS.len()).for_each(|key| self.touch(id, key, true));
        session.clear();
        self.set(session, id, key)
    }

    fn create(&self, session: &mut Session, id: Id) {
        let old = session.session_key().map(|key| key.as_str().to_owned());
        session.create();
        // A superseded session gets no other key than by a rotation.
        let Some(key) = session.session_key() else { return };
        let mut history = self.history.borrow_mut();
        let old = old.and_then(|old| history.find_key(&old));
        let new = history.new_key(key.as_str(), old, Origin::Created, self.model.now());
        history.request(id).created = Some((old, new));
    }

    fn rotate(&self, session: &mut Session, id: Id) -> Result<(), ErrorKind> {
        let old = session.session_key().map(|key| key.as_str().to_owned());
        session.cycle_key().map_err(kind)?;
        let mut history = self.history.borrow_mut();
        // A second login has the key that the first one rotated, which the session does not show any more.
        let named = history.of(id).key.filter(|_| history.of(id).reason() == "superseded");
        let old = old.and_then(|old| history.find_key(&old)).or(named);
        let is_beside = history.is_linearizable && history.of(id).reason() == "superseded";
        let origin = if is_beside { Origin::Beside } else { Origin::Rotated };
        let new = history.new_key(session.session_key().unwrap().as_str(), old, origin, self.model.now());
        history.request(id).cycled = Some((old, new));
        Ok(())
    }

    pub async fn flush(
        &self,
        sessions: &Sessions<RecordingStore>,
        session: &mut Session,
        id: Id,
    ) -> Result<(), ErrorKind> {
        self.begins_flush(id);
        let outcome = sessions.flush(session).await.map_err(kind);
        self.note_flush(id, outcome);
        outcome
    }
}

/// Reads everything in the session.
fn look(session: &mut Session) -> Result<Marks, ErrorKind> {
    let mut marks = Marks::default();
    for (mark, key) in marks.iter_mut().zip(KEYS) {
        if let Some(value) = session.get::<String>(key).map_err(kind)? {
            *mark = SaveMark { by: writer(&value), present: true };
        }
    }
    Ok(marks)
}
