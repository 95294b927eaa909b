//! Invitation of somebody who has no Visavis yet: a text with one's link, to be copied or sent by mail.

use eframe::egui::{OpenUrl, Ui};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::bidi::{self, Lines};
use super::buttons::TextButton;
use super::catalogue::{Text, Words};
use super::icons::Icon;
use super::scene::Scene;
use super::theme::{Palette, Type, space};

/// Address of the project's home page.
const HOME_PAGE: &str = env!("CARGO_PKG_HOMEPAGE");

/// The text that invites somebody to call the person of this link.
fn text(words: Words, link: &str) -> String {
    words.fill(Text::InvitationText, &[("page", HOME_PAGE), ("link", link)])
}

/// The address by which a mail program opens with the invitation (RFC 6068).
fn mail(words: Words, link: &str) -> String {
    let coded = |text: &str| utf8_percent_encode(&text.replace('\n', "\r\n"), NON_ALPHANUMERIC).to_string();
    format!("mailto:?subject={}&body={}", coded(words.get(Text::InvitationSubject)), coded(&text(words, link)))
}

/// Draws a line about it and the two buttons.
pub fn show(ui: &mut Ui, scene: &Scene<'_>) {
    ui.add_space(space::S);
    let palette = Palette::of(ui);
    bidi::label(ui, scene.text(Text::InviteSomebody), Type::Body, palette.text, Lines::Many);
    let link = &scene.snapshot.me.link;
    ui.horizontal_wrapped(|ui| {
        if TextButton::new(scene.text(Text::CopyInvitationText)).icon(Icon::Copy).show(ui).clicked() {
            ui.ctx().copy_text(text(scene.words, link));
        }
        if TextButton::new(scene.text(Text::MailInvitation)).show(ui).clicked() {
            ui.ctx().open_url(OpenUrl::new_tab(mail(scene.words, link)));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::ContactLink;
    use crate::identity::PeerId;
    use crate::store::Language;

    #[test]
    fn an_invitation_holds_a_link_that_adds_this_person_in_each_language() {
        let me = ContactLink::new(PeerId::from_bytes([5; 32]), "Zoë & Co");
        for language in [Language::English, Language::SimplifiedChinese] {
            let invitation = text(Words::of(language, ""), &me.to_string());
            assert_eq!(ContactLink::find_in(&invitation), Some(me.clone()));
            assert!(invitation.contains(HOME_PAGE));
        }
    }

    #[test]
    fn a_mail_holds_the_whole_text_whatever_is_in_it() {
        let me = ContactLink::new(PeerId::from_bytes([5; 32]), "Zoë & Co").to_string();
        let words = Words::of(Language::English, "");
        let mail = mail(words, &me);
        let (_, body) = mail.split_once("&body=").unwrap();
        assert!(!body.contains('&') && mail.is_ascii());
        let body = percent_encoding::percent_decode_str(body).decode_utf8().unwrap().replace("\r\n", "\n");
        assert_eq!(body, text(words, &me));
    }
}
