// What a person did, newest first, by day; reads on as one scrolls.
import {
  BellOutlined,
  CheckCircleOutlined,
  EyeOutlined,
  GiftOutlined,
  MessageOutlined,
  SafetyCertificateOutlined,
  ShoppingCartOutlined,
  ShoppingOutlined,
  StopOutlined,
  UserOutlined,
} from "@ant-design/icons";
import { Select } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useTimeline, type Event } from "@/features/people/api";
import { say } from "@/shared/api";
import { at, listed, money } from "@/shared/format";
import { LoadMore, useFilters } from "@/shared/lists";
import { Card, Empty, Loaded, MadeBadge } from "@/shared/ui";

const KINDS = ["order_paid", "product_viewed", "product_added_to_cart", "coupon_redeemed", "message_accepted", "message_read", "identified"];

const LOOKS: [RegExp, ReactNode, string, string][] = [
  [/withdrawn|blocked|refused|denied|unsubscribed/, <StopOutlined key="stop" />, "#a51d17", "#fdeceb"],
  [/consent/, <SafetyCertificateOutlined key="consent" />, "#086148", "#e3f5ee"],
  [/cart/, <ShoppingCartOutlined key="cart" />, "#7a4a05", "#fdf0dc"],
  [/order|refund|purchase/, <ShoppingOutlined key="order" />, "#1149b8", "#e8effc"],
  [/coupon|redeem|campaign|gift/, <GiftOutlined key="gift" />, "#8a2b62", "#fbeaf4"],
  [/read|opened|viewed|screen|page/, <EyeOutlined key="eye" />, "#46546c", "#eef1f6"],
  [/message|contact|welcome|sent/, <MessageOutlined key="message" />, "#086148", "#e3f5ee"],
  [/journey|goal/, <CheckCircleOutlined key="journey" />, "#1149b8", "#e8effc"],
  [/identified|registered|member|alias/, <UserOutlined key="user" />, "#5b35b5", "#f0eafc"],
];

function Icon({ name }: { name: string }) {
  const [, icon, ink, ground] = LOOKS.find(([pattern]) => pattern.test(name)) ?? [null, <BellOutlined key="bell" />, "#46546c", "#eef1f6"];
  return (
    <span className="icon" style={{ color: ink, background: ground }} aria-hidden>
      {icon}
    </span>
  );
}

export function PersonTimeline({ personId }: { personId: string }) {
  const { t } = useTranslation("people");
  const { filters, change } = useFilters(["event"]);
  const query = useTimeline(personId, filters.event);
  const events = query.data?.pages.flatMap((page) => page.items) ?? [];
  const days = [...new Set(events.map((event) => at(event.occurred_at, "YYYY-MM-DD")))];
  return (
    <Card
      title={t("timeline")}
      extra={
        <Select
          allowClear
          size="small"
          style={{ width: 150 }}
          placeholder={t("allEvents")}
          aria-label={t("allEvents")}
          value={filters.event}
          onChange={(event?: string) => change({ event })}
          options={KINDS.map((value) => ({ value, label: t(`kinds.${value}`) }))}
        />
      }
    >
      <Loaded query={query} rows={8}>
        {() =>
          events.length ? (
            <>
              {days.map((day) => (
                <section key={day}>
                  <h3 className="day">{day}</h3>
                  <ol className="happenings">
                    {events
                      .filter((event) => at(event.occurred_at, "YYYY-MM-DD") === day)
                      .map((event) => (
                        <Happening key={`${event.source}/${event.event_id}`} event={event} />
                      ))}
                  </ol>
                </section>
              ))}
              <LoadMore list={{ ...query, items: events, more: () => void query.fetchNextPage() }} />
            </>
          ) : (
            <Empty title={t("noEvents")} />
          )
        }
      </Loaded>
    </Card>
  );
}

function Happening({ event }: { event: Event }) {
  const { t } = useTranslation("people");
  const channel = event.channel ? t(`shell:channels.${event.channel}`, { defaultValue: event.channel }) : null;
  const items = event.items.slice(0, 3).map((item) => `${say(item.name) || item.sku}${(item.quantity ?? 1) > 1 ? ` ×${item.quantity}` : ""}`);
  const more = event.items.length > 3 ? ` +${event.items.length - 3}` : "";
  const where = [event.store ? say(event.store.name) : channel, event.order_id].filter(Boolean).join(" · ");
  return (
    <li className="event-line">
      <Icon name={event.name} />
      <div>
        <strong>{say(event.label)}</strong>
        {event.amount !== null && event.currency ? <span className="number money">{money(event.amount, event.currency)}</span> : null}{" "}
        {event.made ? <MadeBadge /> : null}
        <p>{[items.length ? listed(items) + more : "", where].filter(Boolean).join(" · ")}</p>
      </div>
      <time className="number" dateTime={event.occurred_at} title={at(event.occurred_at, "YYYY-MM-DD HH:mm:ss")}>
        {at(event.occurred_at, "HH:mm")}
      </time>
    </li>
  );
}
