import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Alert, Button, Form, Input } from "antd";
import { useTranslation } from "react-i18next";
import { useNavigate, useSearchParams } from "react-router";
import { language, switchLanguage } from "@/app/i18n";
import { ApiError, post, setCsrf } from "@/shared/api";
import { useSessionQuery, type Session } from "@/shared/session";
import { sentenceOf } from "@/shared/ui";
import "./login.css";

interface Fields {
  username: string;
  password: string;
}

export default function Login() {
  const { t } = useTranslation("login");
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [params] = useSearchParams();
  const [form] = Form.useForm<Fields>();
  const session = useSessionQuery();
  const hint = session.error instanceof ApiError ? (session.error.body["demo_login"] as Fields | undefined) : undefined;
  const signIn = useMutation({
    mutationFn: (fields: Fields) => post<Session>("/session", fields),
    onSuccess: (opened) => {
      setCsrf(opened.csrf);
      queries.setQueryData(["session"], opened);
      const next = params.get("next") ?? "/";
      navigate(next.startsWith("/") && !next.startsWith("//") ? next : "/", { replace: true });
    },
  });
  return (
    <div className="login">
      <section className="login-pitch">
        <img src="/favicon.svg" alt="" width={52} height={52} />
        <h1>{t("title")}</h1>
        <p>{t("pitch")}</p>
        <ol className="wheel" aria-label={t("wheel")}>
          {(["collect", "resolve", "profile", "select", "decide", "reach", "measure"] as const).map((step) => (
            <li key={step}>{t(`steps.${step}`)}</li>
          ))}
        </ol>
      </section>
      <main className="login-form">
        <Button type="text" className="login-language" onClick={() => void switchLanguage(language() === "en" ? "zh" : "en")}>
          {language() === "en" ? "中文" : "English"}
        </Button>
        <h2>{t("signIn")}</h2>
        {signIn.isError ? <Alert type="error" showIcon title={sentenceOf(signIn.error, t("failed"))} role="alert" /> : null}
        {hint ? (
          <Alert
            type="info"
            showIcon
            title={t("demo", { ...hint })}
            action={
              <Button size="small" data-testid="demo-fill" onClick={() => form.setFieldsValue(hint)}>
                {t("fill")}
              </Button>
            }
          />
        ) : null}
        <Form form={form} layout="vertical" size="large" requiredMark={false} onFinish={(fields: Fields) => signIn.mutate(fields)}>
          <Form.Item name="username" label={t("username")} rules={[{ required: true, message: t("needed") }]}>
            <Input autoComplete="username" autoFocus data-testid="username" />
          </Form.Item>
          <Form.Item name="password" label={t("password")} rules={[{ required: true, message: t("needed") }]}>
            <Input.Password autoComplete="current-password" data-testid="password" />
          </Form.Item>
          <Button type="primary" htmlType="submit" block loading={signIn.isPending} data-testid="sign-in">
            {t("signIn")}
          </Button>
        </Form>
      </main>
    </div>
  );
}
