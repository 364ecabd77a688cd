// A message as the customer's phone shows it: a chat bubble, a mini-program card, the coupon that travels with it.
import { useTranslation } from "react-i18next";
import type { ReactNode } from "react";
import "./phone.css";

const HOLE = /\{\{\s*([^{}]*?)\s*\}\}/g;
const KNOWN = new Set(["name", "store", "coupon.name"]);

/** The text cut into plain parts and holes. */
export function partsOf(text: string): { text: string; hole: boolean }[] {
  const parts: { text: string; hole: boolean }[] = [];
  let end = 0;
  for (const found of text.matchAll(HOLE)) {
    if (found.index > end) parts.push({ text: text.slice(end, found.index), hole: false });
    parts.push({ text: found[1] ?? "", hole: true });
    end = found.index + found[0].length;
  }
  if (end < text.length) parts.push({ text: text.slice(end), hole: false });
  return parts;
}

export interface PhoneMessage {
  kind: string;
  text: string;
  card?: { title: string; page: string } | null;
}

interface Props {
  template: PhoneMessage;
  coupon?: { name: string; words: string } | null;
}

export function PhonePreview({ template, coupon }: Props) {
  const { t } = useTranslation("phone");
  const fill = (text: string): ReactNode[] =>
    partsOf(text).map((part, index) =>
      part.hole ? (
        <mark key={index} className={KNOWN.has(part.text) ? "" : "bad"}>
          {part.text === "coupon.name" && coupon ? coupon.name : KNOWN.has(part.text) ? t(`holes.${part.text.replace(".", "_")}`) : `{{${part.text}}}`}
        </mark>
      ) : (
        part.text
      ),
    );
  return (
    <div className="phone" role="img" aria-label={t("preview")} data-testid="phone-preview">
      <div className="phone-top" aria-hidden>
        {t("sender")}
      </div>
      <div className="phone-chat">
        {template.text.trim() ? (
          <div className="phone-line">
            <span className="phone-face" aria-hidden />
            <p className="phone-bubble">{fill(template.text)}</p>
          </div>
        ) : null}
        {template.kind === "card" && template.card ? (
          <div className="phone-line">
            <span className="phone-face" aria-hidden />
            <div className="phone-card">
              <strong>{fill(template.card.title || t("cardTitle"))}</strong>
              <div className="phone-picture">
                {coupon ? (
                  <span className="phone-coupon">
                    <b>{coupon.words}</b>
                    {coupon.name}
                  </span>
                ) : (
                  template.card.page
                )}
              </div>
              <small>{t("miniProgram")}</small>
            </div>
          </div>
        ) : null}
      </div>
    </div>
  );
}
