// Renders the labelled text lines beside this file: calibration/ and test/ with 0001.png… and labels.csv (file,text) each.
// Made once, committed; run it again only to change them:
//
//   apt-get install --no-install-recommends nodejs imagemagick fonts-dejavu-core fonts-freefont-ttf fonts-lato \
//       fonts-liberation2 fonts-open-sans fonts-wqy-zenhei fonts-wqy-microhei fonts-arphic-uming
//   node render.mjs
//
// An image is 320×48 pixels, 8-bit grey: one line of text, dark on light or light on dark, in one of several fonts and
// sizes, slightly turned and blurred, then mid-grey padding up to the width, as the recognizer was trained. The same script, fonts and ImageMagick give the same files.

import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const sets = { calibration: 64, test: 300 };
const width = 320, height = 48;
const here = dirname(fileURLToPath(import.meta.url));

// --- pseudo-random choices: xorshift32 with a fixed seed ---
let state = 20240607;
function random() {
    state ^= state << 13; state ^= state >>> 17; state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
}
const integer = (from, to) => from + Math.floor(random() * (to - from + 1));
const between = (from, to) => from + random() * (to - from);
const pick = list => list[Math.floor(random() * list.length)];
const digits = n => Array.from({ length: n }, () => integer(0, 9)).join("");

// --- fonts ---
const truetype = "/usr/share/fonts/truetype/";
const latinFonts = [
    "dejavu/DejaVuSans.ttf", "dejavu/DejaVuSans-Bold.ttf", "dejavu/DejaVuSerif.ttf", "dejavu/DejaVuSansMono.ttf",
    "liberation2/LiberationSans-Regular.ttf", "liberation2/LiberationSans-Bold.ttf", "liberation2/LiberationSans-Italic.ttf",
    "liberation2/LiberationSerif-Regular.ttf", "liberation2/LiberationSerif-Italic.ttf", "liberation2/LiberationMono-Regular.ttf",
    "lato/Lato-Regular.ttf", "lato/Lato-Medium.ttf", "lato/Lato-Light.ttf", "lato/Lato-Italic.ttf",
    "open-sans/OpenSans-Regular.ttf", "open-sans/OpenSans-Semibold.ttf", "open-sans/OpenSans-CondLight.ttf",
    "freefont/FreeSans.ttf", "freefont/FreeSerif.ttf", "freefont/FreeSerifItalic.ttf",
];
const chineseFonts = ["wqy/wqy-zenhei.ttc", "wqy/wqy-microhei.ttc", "arphic/uming.ttc"];

// --- texts ---
const words = ("account address airport amount answer apple arrival article August autumn balance banana battery bicycle bottle breakfast "
    + "bridge button camera candle castle charge chapter checkout coffee column compact contract corner cotton country currency customer "
    + "danger delivery dentist departure deposit dinner discount doctor double dragon engine entrance envelope evening exit express factory "
    + "family filter flight flower forest fragile freight garden gate ginger glass gravity guitar harbour height holiday honey hotel invoice "
    + "island January jacket journey kitchen ladder language lemon letter library limit litre luggage machine manual market member message "
    + "metal minute mirror Monday monitor morning mountain museum needle network notice number October office onion orange order oxygen "
    + "package paper parking passport pencil pepper picture planet platform pocket potato pressure printer product quality quarter query "
    + "railway receipt record refund region repair return river rocket salmon school season second serial service shipping signal silver "
    + "single square station street student sugar summer surface switch symbol table tariff ticket tomato total tower traffic travel "
    + "Tuesday umbrella update valley value vehicle velvet village volume voltage warranty water weather weight window winter yellow zero").split(" ");
const streets = ["Mill Lane", "Station Road", "Park Avenue", "King Street", "High Street", "Bridge Road", "Church Lane", "Victoria Square"];
const chinese = ("出口 入口 收银台 请勿吸烟 小心地滑 北京大学 上海火车站 人民广场 身份证号码 联系电话 出生日期 有效期至 发票号码 商品名称 "
    + "数量单价 合计金额 谢谢惠顾 欢迎光临 营业时间 星期一 星期五 周末休息 免费停车 安全出口 禁止通行 请保持安静 图书馆 电影院 博物馆 "
    + "机场大巴 地铁二号线 高速公路 前方施工 减速慢行 今日特价 新鲜水果 牛肉面 绿茶 咖啡 热水 净含量 生产日期 保质期 配料表 "
    + "使用说明 注意事项 会议室 总经理 技术支持 客户服务 收件人 寄件人 快递单号 中国银行 余额查询 密码错误 操作成功 网络连接 "
    + "系统设置 打开文件 关闭窗口 保存图片 打印文档 天气预报 多云转晴 最高气温 空气质量 春夏秋冬 东南西北 红色蓝色 山水风景").split(" ");
const capital = word => word[0].toUpperCase() + word.slice(1);
const kinds = [
    [18, () => pick(words)],
    [10, () => capital(pick(words))],
    [6, () => pick(words).toUpperCase()],
    [5, () => `${capital(pick(words))} ${pick(words)}`],
    [3, () => `${pick(words)} ${pick(words)} ${pick(words)}`],
    [3, () => `${integer(1, 240)} ${pick(streets)}`],
    [7, () => `20${integer(10, 29)}-${String(integer(1, 12)).padStart(2, "0")}-${String(integer(1, 28)).padStart(2, "0")}`],
    [4, () => `${String(integer(0, 23)).padStart(2, "0")}:${String(integer(0, 59)).padStart(2, "0")}`],
    [7, () => `$${integer(1, 999)}.${digits(2)}`],
    [5, () => `${integer(1, 99)}%`],
    [7, () => digits(integer(4, 12))],
    [6, () => `${pick(["AB", "KX", "TR", "MZ", "QF", "HN"])}${digits(4)}-${digits(2)}`],
    [4, () => `+${integer(1, 98)}-${digits(3)}-${digits(4)}`],
    [4, () => `${pick(words).toLowerCase()}${integer(1, 99)}@mail.com`],
    [4, () => `www.${pick(words).toLowerCase()}.org`],
    [4, () => `${capital(pick(words))}: ${digits(3)}`],
    [20, () => pick(chinese)],
    [6, () => pick(chinese) + pick(chinese)],
    [6, () => pick(chinese) + digits(integer(2, 6))],
    [3, () => `${pick(["Room", "Gate", "Floor", "Zone"])}${integer(1, 60)} ${pick(chinese)}`],
];
const kindTotal = kinds.reduce((sum, [share]) => sum + share, 0);
const taken = new Set();
function newText() {
    for (;;) {
        let share = random() * kindTotal;
        const text = kinds.find(([s]) => (share -= s) < 0)[1]();
        if (!taken.has(text)) {             // so no text is in both sets, nor twice in one
            taken.add(text);
            return text;
        }
    }
}

// --- rendering ---
function render(text, file) {
    const font = truetype + pick(/[^\x00-\x7f]/.test(text) ? chineseFonts : latinFonts);
    const light = integer(190, 255), dark = integer(0, 90);
    const [ink, paper] = random() < 0.85 ? [dark, light] : [light, dark];
    const size = integer(22, 34), turn = between(-0.8, 0.8).toFixed(2), blur = between(0.3, 0.9).toFixed(2), margin = integer(3, 9);
    const grey = level => `gray(${level})`;
    execFileSync("convert", [
        "-background", grey(paper), "-fill", grey(ink), "-font", font, "-pointsize", String(size), `label:${text}`,
        "-rotate", turn, "-trim", "+repage",
        "-resize", `${width - 24}x${height - 10}>`,     // only ever smaller: a long line gets smaller letters
        "-bordercolor", grey(paper), "-border", `${margin}x0`, "-gravity", "Center", "-extent", `x${height}`,
        "-gaussian-blur", `0x${blur}`,
        "-colorspace", "Gray", "+dither", "-posterize", "16",
        // What PP-OCR itself pads with: 0 after (v / 255 - 0.5) / 0.5.
        "-background", grey(128), "-gravity", "West", "-extent", `${width}x${height}`,
        "-depth", "8", "-define", "png:bit-depth=8", "-define", "png:color-type=0",
        "-define", "png:exclude-chunks=all", "-quality", "95", file,
    ]);
}

for (const [set, count] of Object.entries(sets)) {
    const folder = join(here, set);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const rows = ["file,text"];
    for (let i = 1; i <= count; i++) {
        const name = `${String(i).padStart(4, "0")}.png`, text = newText();
        render(text, join(folder, name));
        rows.push(`${name},${text}`);       // no text holds a comma or a quote
    }
    writeFileSync(join(folder, "labels.csv"), rows.join("\n") + "\n");
}
