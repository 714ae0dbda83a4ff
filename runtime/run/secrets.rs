//! The door's stage for secrets: only sinks may have them, and what comes back has none.
//!
//! A script moves tokens about. They become what they stand for in the copy of a call that its primitive gets, after
//! everything was checked and recorded, and secrets in what a primitive returns become tokens before the script sees it.

use serde_json::Value;

use super::Execution;
use crate::journal::each_string;
use crate::primitive::{
    Call, Change, Context, Effect, Failure, FailureKind, MakeSecret, ON, Outcome, Prediction, Primitive, Probe,
    Services, Spec, Ty, handle, kind_of, misplaced, place,
};
use crate::secrets::{Key, Secret, Sources, Tokens};

/// The kind of a secret's handle, and the field that has its token.
const SECRET: &str = "secret";
const TEXT: &str = "text";

/// So many characters a secret has at least to be taken for the same as a text of a person's.
const LEAST: usize = 8;

impl Execution {
    /// The tokens of this run; made when a script first has to do with a secret.
    fn tokens(&self) -> Result<&Tokens, Failure> {
        if let Some(tokens) = self.tokens.get() {
            return Ok(tokens);
        }
        let key = self.key()?.clone();
        let (sources, redactor) = (Sources::of(&self.project)?, self.redactor.clone());
        let source = move |name: &str| sources.get(name).map(|found| found.text);
        let tokens = Tokens::new(key, &self.facts.uid, source, move |text| redactor.learn(text));
        Ok(self.tokens.get_or_init(|| tokens))
    }

    fn key(&self) -> Result<&Key, Failure> {
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let key = Key::of(&self.project.state_folder())?;
        Ok(self.key.get_or_init(|| key))
    }

    /// A value that nobody reads in the run log: how a container was made, with what its variables hold.
    pub(super) fn sealed(&self, value: &Value) -> Result<Value, Failure> {
        Ok(self.key()?.seal(&value.to_string())?.into())
    }

    /// What was sealed. A value that was recorded before anything was is as it is.
    pub(super) fn opened(&self, sealed: Value) -> Result<Value, Failure> {
        let Value::String(text) = &sealed else { return Ok(sealed) };
        let opened = self.key()?.open(text).and_then(|text| serde_json::from_str(&text).ok());
        opened.ok_or_else(|| {
            let place = self.project.state_folder().join(Key::FILE);
            Failure::new(
                FailureKind::Invalid,
                format!("what was recorded cannot be opened with the key `{}`", place.display()),
            )
            .hint("put back the key that was there when it was recorded: a copy of the state folder has it")
        })
    }

    /// The handle of a secret of the environment.
    pub(super) fn secret(&self, name: &str) -> Result<Value, Failure> {
        let tokens = self.tokens()?;
        let secret = tokens.named(name);
        let fingerprint = tokens.fingerprint(&secret)?;
        self.is_no_parameter(name, secret.text()?.expose())?;
        Ok(handle_of(&secret, Some(fingerprint)))
    }

    /// Parameters were written down before any secret was known.
    fn is_no_parameter(&self, name: &str, value: &str) -> Result<(), Failure> {
        let mut holds = false;
        each_string(&mut self.parameters.clone(), &mut |text| holds |= text.contains(value));
        if !holds || value.chars().count() < LEAST {
            return Ok(());
        }
        let message = format!("a parameter of this run holds the secret `{name}`, and parameters stand in the run log");
        Err(Failure::new(FailureKind::Secret, message).hint(format!(
            "replace its value: `runbook secret rotate {name}`; a runbook gets it by `secret({name:?})`"
        )))
    }

    /// The handle of one that is made out of others.
    pub(super) fn make_secret(&self, how: &str, texts: &[&str], make: MakeSecret) -> Result<Value, Failure> {
        let secret = self.tokens()?.made(how, texts, make)?;
        // While a resumed run goes through what was done, nothing is asked for.
        if super::frame::current().is_some_and(|here| here.is_live()) {
            secret.text()?;
        }
        Ok(handle_of(&secret, None))
    }

    pub(super) fn secrets_in(&self, text: &str) -> Vec<String> {
        self.tokens.get().map(|tokens| tokens.found_in(text)).unwrap_or_default()
    }

    /// Gets the secrets that an earlier process had, before the world is looked at or changed again: so that they are known
    /// where they turn up.
    fn load_secrets(&self) -> Result<(), Failure> {
        match self.tokens.get() {
            Some(tokens) if self.resumed => tokens.load().map_err(|failure| self.stand(failure)),
            _ => Ok(()),
        }
    }

    /// Secrets in a call stand where they may, and are whole.
    pub(super) fn check_secrets(&self, primitive: &dyn Primitive, call: &Call) -> Result<(), Failure> {
        let Some(tokens) = self.tokens.get().filter(|tokens| !tokens.is_idle()) else { return Ok(()) };
        let spec = primitive.spec();
        let sinks = primitive.sinks(call);
        for (at, value) in places(spec, call) {
            let mut names = Vec::new();
            find(value, tokens, &mut names).map_err(|mut failure| {
                failure.message = format!("`{}`: {} has {}", spec.qualified_name(), place(at), failure.message);
                failure
            })?;
            let Some(name) = names.into_iter().next() else { continue };
            if let Some(failure) = misplaced(spec, at, &name, &sinks) {
                return Err(failure);
            }
        }
        Ok(())
    }

    /// Records which secrets stand in a call that is not recorded when this is done with it: a look of a probe, or the question what
    /// became of a call.
    pub(super) fn note_secrets(&self, primitive: &dyn Primitive, call: &Call, path: &str) -> Result<(), Failure> {
        let Some(tokens) = self.tokens.get().filter(|tokens| !tokens.is_idle()) else { return Ok(()) };
        for (at, value) in places(primitive.spec(), call) {
            let mut names = Vec::new();
            find(value, tokens, &mut names)?;
            let sink = format!("{at} of {}", primitive.spec().qualified_name());
            names.iter().try_for_each(|name| self.note_secret(path, name, &sink))?;
        }
        Ok(())
    }

    /// Lets the primitive make the call, with its secrets in their places.
    pub(super) fn act(
        &self,
        primitive: &dyn Primitive,
        context: &Context<'_>,
        call: &Call,
    ) -> Result<Outcome, Failure> {
        if !matches!(primitive.effect(call), Effect::Flow | Effect::Pure) {
            self.load_secrets()?;
        }
        let result = match self.revealed(primitive, call)? {
            Some(revealed) => primitive.call(context, &revealed),
            None => primitive.call(context, call),
        };
        result.map(|outcome| self.concealed(outcome)).map_err(|failure| self.concealed_failure(failure))
    }

    /// Asks the primitive what became of the call.
    pub(super) fn ask(&self, primitive: &dyn Primitive, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        self.load_secrets()?;
        self.note_secrets(primitive, call, context.path)?;
        let probe = match self.revealed(primitive, call)? {
            Some(revealed) => primitive.probe(context, &revealed),
            None => primitive.probe(context, call),
        };
        match probe {
            Ok(Probe::Done(outcome)) => Ok(Probe::Done(self.concealed(outcome))),
            Ok(Probe::Failed(failure)) => Ok(Probe::Failed(self.concealed_failure(failure))),
            Ok(other) => Ok(other),
            Err(failure) => Err(self.concealed_failure(failure)),
        }
    }

    /// Asks the primitive what the call would change. What it tells is fit to be shown.
    pub(super) fn predicted(
        &self,
        primitive: &dyn Primitive,
        context: &Context<'_>,
        call: &Call,
    ) -> Result<Prediction, Failure> {
        let prediction = match self.revealed(primitive, call)? {
            Some(revealed) => primitive.predict(context, &revealed),
            None => primitive.predict(context, call),
        };
        let mut prediction = prediction.map_err(|failure| self.concealed_failure(failure))?;
        self.conceal(&mut prediction.value);
        prediction.changes.iter_mut().for_each(|change| each_text_of(change, &mut |text| self.show_in(text)));
        Ok(prediction)
    }

    /// The call with each secret in its place; `None` when there is none in it.
    fn revealed(&self, primitive: &dyn Primitive, call: &Call) -> Result<Option<Call>, Failure> {
        let hands_on = matches!(primitive.effect(call), Effect::Flow | Effect::Pure);
        let Some(tokens) = self.tokens.get().filter(|tokens| !hands_on && !tokens.is_idle()) else { return Ok(None) };
        let mut revealed = call.clone();
        let mut result = Ok(());
        for value in [&mut revealed.receiver, &mut revealed.options].into_iter().chain(&mut revealed.args) {
            each_string(value, &mut |text| match tokens.reveal(text) {
                Ok(whole) => *text = whole,
                Err(failure) => result = Err(failure),
            });
        }
        result.map(|()| Some(revealed))
    }

    /// A text as people and the run log get it.
    pub(super) fn shown(&self, text: &str) -> String {
        let mut text = text.to_owned();
        self.show_in(&mut text);
        text
    }

    /// Makes of a text what people and the run log get.
    pub(super) fn show_in(&self, text: &mut String) {
        self.name_secrets_in(text);
        self.redactor.redact(text);
    }

    /// A failure as people get it.
    pub(super) fn shown_failure(&self, mut failure: Failure) -> Failure {
        failure.each_text(&mut |text| self.show_in(text));
        failure
    }

    /// Secrets by their names, where the world or the script has them.
    pub(super) fn name_secrets_in(&self, text: &mut String) {
        if let Some(tokens) = self.tokens.get() {
            tokens.conceal(text);
        }
        self.name_in(text);
    }

    /// Secrets by their names, where the script had tokens.
    pub(super) fn name_in(&self, text: &mut String) {
        match self.tokens.get() {
            Some(tokens) => tokens.name_in(text),
            // Nothing is known yet, and what looks like a secret's name is none.
            None => Tokens::disown_in(text),
        }
    }

    /// A value with secrets by their names.
    pub(super) fn named(&self, mut value: Value) -> Value {
        each_string(&mut value, &mut |text| self.name_in(text));
        value
    }

    /// A recorded value as the script had it.
    pub(super) fn restored(&self, mut value: Value) -> Result<Value, Failure> {
        let mut any = false;
        each_string(&mut value, &mut |text| any |= Tokens::names_any(text));
        if any {
            let tokens = self.tokens()?;
            each_string(&mut value, &mut |text| tokens.token_in(text));
        }
        Ok(value)
    }

    /// A recorded failure as the script had it.
    pub(super) fn restored_failure(&self, mut failure: Failure) -> Failure {
        if let Ok(tokens) = self.tokens() {
            failure.each_text(&mut |text| tokens.token_in(text));
        }
        failure
    }

    fn conceal(&self, value: &mut Value) {
        if let Some(tokens) = self.tokens.get() {
            each_string(value, &mut |text| tokens.conceal(text));
        }
    }

    fn concealed(&self, mut outcome: Outcome) -> Outcome {
        let Some(tokens) = self.tokens.get() else { return outcome };
        each_string(&mut outcome.value, &mut |text| tokens.conceal(text));
        outcome.note.iter_mut().for_each(|text| tokens.conceal(text));
        outcome.changes.iter_mut().for_each(|change| each_text_of(change, &mut |text| tokens.conceal(text)));
        outcome
    }

    fn concealed_failure(&self, mut failure: Failure) -> Failure {
        if let Some(tokens) = self.tokens.get() {
            failure.each_text(&mut |text| tokens.conceal(text));
        }
        failure
    }
}

/// Puts tokens in the place of secrets' handles in the arguments of a call, where no handle is asked for.
pub(super) fn flatten(spec: &Spec, arguments: &mut [Value]) {
    if spec.effect == Effect::Flow {
        return;
    }
    for (place, value) in arguments.iter_mut().enumerate() {
        if !spec.args.get(place).is_some_and(|arg| takes_handle(arg.ty)) {
            flatten_value(value);
        }
    }
}

fn flatten_value(value: &mut Value) {
    if kind_of(value) == Some(SECRET) {
        *value = value.get(TEXT).cloned().unwrap_or_default();
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(flatten_value),
        Value::Object(map) => map.values_mut().for_each(flatten_value),
        _ => {}
    }
}

fn takes_handle(ty: Ty) -> bool {
    match ty {
        Ty::Handle(kind) => kind == SECRET,
        Ty::OneOf(types) => types.iter().any(|ty| takes_handle(*ty)),
        _ => false,
    }
}

fn handle_of(secret: &Secret, fingerprint: Option<String>) -> Value {
    let mut fields = serde_json::json!({ "name": secret.name(), TEXT: secret.token() });
    if let (Some(fingerprint), Some(fields)) = (fingerprint, fields.as_object_mut()) {
        fields.insert("fingerprint".into(), fingerprint.into());
    }
    handle(SECRET, fields)
}

/// Every part of a call, by the name it is recorded under.
fn places<'c>(spec: &'static Spec, call: &'c Call) -> impl Iterator<Item = (&'c str, &'c Value)> {
    let arguments = spec.args.iter().map(|arg| arg.name).zip(&call.args);
    let options = call.options.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value));
    std::iter::once((ON, &call.receiver)).chain(arguments).chain(options)
}

/// The names of the secrets in a value, those in keys too. Those in a handle are where they may be: that was looked at when
/// it was made.
fn find(value: &Value, tokens: &Tokens, names: &mut Vec<String>) -> Result<(), Failure> {
    let mut in_text = |text: &str| {
        names.extend(tokens.in_text(text)?.iter().map(|secret| secret.name().to_owned()));
        Ok(())
    };
    match value {
        Value::String(text) => in_text(text),
        Value::Array(items) => items.iter().try_for_each(|item| find(item, tokens, names)),
        Value::Object(map) => {
            if kind_of(value).is_some() {
                return map.values().try_for_each(|item| find(item, tokens, &mut Vec::new()));
            }
            for (key, item) in map {
                if let Some(secret) = tokens.in_text(key)?.first() {
                    let message = format!("the secret `{}` as a name", secret.name());
                    return Err(
                        Failure::new(FailureKind::Secret, message).hint("names are shown and stored as they are")
                    );
                }
                find(item, tokens, names)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn each_text_of(change: &mut Change, work: &mut dyn FnMut(&mut String)) {
    work(&mut change.what);
    change.detail.iter_mut().for_each(work);
}
