import type { ThemeConfig } from "antd";

export const theme: ThemeConfig = {
  cssVar: { key: "quanyu" },
  token: {
    colorPrimary: "#1554d9",
    colorSuccess: "#0b7a5e",
    colorError: "#c2261f",
    colorWarning: "#b45309",
    colorWarningBg: "#fff8ec",
    colorWarningBorder: "#f3cf96",
    colorText: "#111b2e",
    colorTextSecondary: "#4b5a73",
    colorTextPlaceholder: "#5f6e88",
    colorTextDescription: "#5c6a83",
    colorLink: "#1554d9",
    colorLinkHover: "#3f78e6",
    colorInfo: "#1554d9",
    colorBorderSecondary: "#e6eaf1",
    colorBgLayout: "#f4f6fa",
    borderRadius: 8,
    fontSize: 14,
    fontFamily:
      '-apple-system, "PingFang SC", "HarmonyOS Sans SC", "Microsoft YaHei", "Noto Sans CJK SC", "Segoe UI", sans-serif',
  },
  components: { Table: { headerBg: "#f8fafc", headerColor: "#4b5a73" }, Menu: { itemHeight: 40 } },
};
