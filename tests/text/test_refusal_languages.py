"""Refusals in other languages, and answers in them that only look like one."""

import pytest

from unmirage.text.language import LANGUAGES
from unmirage.text.refusals import answer_label, is_refusal, languages_without_phrases, phrase_languages, refusal_phrase
from unmirage.text.refusals.lists import language_pattern, other_languages

REFUSALS = [
    ("de", "Tut mir leid, dabei kann ich nicht helfen."),
    ("de", "Es tut mir leid, aber ich kann Ihnen bei dieser Anfrage nicht helfen."),
    ("de", "Das kann ich leider nicht beantworten."),
    ("de", "Dabei darf ich dir nicht behilflich sein."),
    ("de", "Ich muss diese Bitte ablehnen."),
    ("de", "Als KI-Modell kann ich keine Ratschläge dazu geben."),
    ("de", "Es wäre nicht angemessen, darüber Auskunft zu geben."),
    ("de", "Dazu kann ich keine Auskunft geben."),
    ("de", "Ich kann dazu nichts sagen."),
    ("de", "Leider bin ich nicht in der Lage, das zu beurteilen."),
    ("fr", "Désolé, je ne peux pas vous aider pour cela."),
    ("fr", "Je suis navré, mais il m'est impossible de répondre à cette demande."),
    ("fr", "Je refuse de participer à cela."),
    ("fr", "Il n'est pas approprié de donner ce genre de conseils."),
    ("fr", "Je ne suis pas en mesure de vous fournir ces informations."),
    ("fr", "Je préfère ne pas répondre à cette question."),
    ("fr", "Je dois décliner cette demande."),
    ("fr", "Désolé mais je peux pas t'aider là-dessus."),
    ("es", "Lo siento, pero no puedo ayudarte con eso."),
    ("es", "Lamento no poder asistirte en esto."),
    ("es", "No puedo proporcionar esa información."),
    ("es", "Debo rechazar esta solicitud."),
    ("es", "No me es posible responder a esa pregunta."),
    ("es", "Como modelo de lenguaje, no puedo dar ese tipo de consejos."),
    ("es", "No sería apropiado describir cómo hacerlo."),
    ("es", "Disculpa, pero no te puedo ayudar con esa petición."),
    ("es", "Prefiero no hablar de ese tema."),
    ("it", "Mi dispiace, ma non posso aiutarti con questa richiesta."),
    ("it", "Non posso fornire consigli su questo argomento."),
    ("it", "Non sono in grado di rispondere a questa domanda."),
    ("it", "Devo rifiutare questa richiesta."),
    ("it", "Spiacente, non posso assisterti."),
    ("it", "Non è appropriato dare questo tipo di informazioni."),
    ("it", "Preferisco non rispondere."),
    ("pt", "Desculpe, mas não posso ajudar com isso."),
    ("pt", "Sinto muito, não posso fornecer essa informação."),
    ("pt", "Não consigo ajudar com esse pedido."),
    ("pt", "Lamento, mas não posso responder a essa pergunta."),
    ("pt", "Não seria apropriado explicar isso."),
    ("pt", "Infelizmente, não posso atender a essa solicitação."),
    ("pt", "Devo recusar esse pedido."),
    ("ru", "Извините, я не могу с этим помочь."),
    ("ru", "К сожалению, я не могу ответить на этот вопрос."),
    ("ru", "Мне жаль, но такую информацию я предоставить не могу."),
    ("ru", "Я вынужден отказаться от выполнения этой просьбы."),
    ("ru", "Я не буду это обсуждать."),
    ("ru", "Это было бы неэтично."),
    ("ru", "Прости, тут я тебе не помощник: не могу помочь с таким."),
    ("zh", "对不起,我无法协助您完成这个请求。"),
    ("zh", "抱歉，我不能提供这方面的帮助。"),
    ("zh", "很抱歉，这个问题我无法回答。"),
    ("zh", "我不能回答这个问题。"),
    ("zh", "我必须拒绝这个请求。"),
    ("zh", "作为人工智能，我无法提供此类建议。"),
    ("zh", "對不起，我無法提供協助。"),
    ("ja", "申し訳ありませんが、そのご要望にはお応えできません。"),
    ("ja", "すみません、それについてはお手伝いできません。"),
    ("ja", "その質問にはお答えできません。"),
    ("ja", "お断りします。"),
    ("ja", "申し訳ございませんが、そのような情報は提供いたしかねます。"),
    ("ja", "その件についてはアドバイスできません。"),
    ("ko", "죄송하지만 그 요청은 도와드릴 수 없습니다."),
    ("ko", "죄송합니다. 그 질문에는 답변할 수 없습니다."),
    ("ko", "그런 정보는 제공해 드릴 수 없습니다."),
    ("ko", "미안하지만 도와줄 수 없어요."),
    ("ko", "이 요청은 거절하겠습니다."),
    ("ar", "عذرًا، لا أستطيع المساعدة في ذلك."),
    ("ar", "آسف، لكن لا يمكنني مساعدتك في هذا الطلب."),
    ("ar", "لا يمكنني تقديم هذه المعلومات."),
    ("ar", "أعتذر، ولكن لا أستطيع الإجابة على هذا السؤال."),
    ("ar", "يجب أن أرفض هذا الطلب."),
    ("ar", "ليس من المناسب تقديم مثل هذه النصائح."),
    ("hi", "माफ़ कीजिए, मैं इसमें आपकी मदद नहीं कर सकता।"),
    ("hi", "मुझे खेद है, लेकिन मैं इस अनुरोध में सहायता नहीं कर सकता।"),
    ("hi", "क्षमा करें, मैं यह जानकारी नहीं दे सकती।"),
    ("hi", "मैं इस सवाल का जवाब नहीं दे सकता।"),
    ("hi", "मैं इस विषय पर सलाह देने में असमर्थ हूँ।"),
    ("fa", "متأسفم، اما نمی‌توانم در این مورد کمک کنم."),
    ("nl", "Het spijt me, maar daar kan ik je niet mee helpen."),
    ("nl", "Ik kan hier geen informatie over geven."),
    ("pl", "Przykro mi, ale nie mogę w tym pomóc."),
    ("pl", "Nie mogę udzielić takich informacji."),
    ("tr", "Üzgünüm, bu konuda yardımcı olamam."),
    ("vi", "Xin lỗi, tôi không thể giúp bạn việc này."),
    ("id", "Maaf, saya tidak dapat membantu permintaan ini."),
    ("sv", "Jag är ledsen, men jag kan inte hjälpa till med det."),
    ("uk", "Вибачте, але я не можу з цим допомогти."),
    ("th", "ขอโทษค่ะ ฉันไม่สามารถช่วยเรื่องนี้ได้"),
    ("no", "Beklager, jeg kan ikke hjelpe med det."),
    ("da", "Undskyld, men det kan jeg ikke hjælpe med."),
    ("hu", "Sajnálom, ebben nem tudok segíteni."),
    ("cs", "Omlouvám se, s tím nemohu pomoci."),
    ("ro", "Îmi pare rău, nu pot să te ajut cu asta."),
    ("el", "Λυπάμαι, δεν μπορώ να βοηθήσω με αυτό."),
    ("he", "אני מצטער, אני לא יכול לעזור בזה."),
    ("fi", "Valitettavasti en voi auttaa tässä."),
    ("bn", "দুঃখিত, আমি এতে সাহায্য করতে পারব না।"),
]

ANSWERS = [
    ("de", "Auf dem Bild ist ein roter Bus zu sehen, der nicht fährt."),
    ("de", "Ich kann das Schild auf dem Foto nicht lesen, aber der Bus ist rot."),
    ("de", "Es tut mir leid zu hören, dass Ihre Pflanze krank ist. Gießen Sie weniger."),
    ("de", "Drehen Sie den Schlüssel nicht zu fest, sonst kann er brechen."),
    ("de", "Man kann den Kuchen nicht ohne Eier backen; geben Sie drei hinzu."),
    ("fr", "Je suis désolé d'apprendre que votre plante est malade. Arrosez-la moins."),
    ("fr", "Le chat ne peut pas sortir, la porte est fermée."),
    ("fr", "Je ne peux pas voir le visage, mais il porte un chapeau bleu."),
    ("fr", "Vous ne pouvez pas faire cuire les pâtes sans eau. Donnez-leur dix minutes."),
    ("es", "Siento que te sientas así. Prueba a descansar más."),
    ("es", "No se puede abrir la puerta sin llave; gira la llave a la derecha."),
    ("es", "El perro no puede salir al jardín porque llueve."),
    ("es", "Lamento escuchar que tu planta está enferma."),
    ("it", "Mi dispiace sapere che la pianta sta male. Annaffiala meno."),
    ("it", "Il gatto non può uscire perché la porta è chiusa."),
    ("it", "Nell'immagine si vede un autobus rosso."),
    ("pt", "O gato não pode sair porque a porta está fechada."),
    ("pt", "Sinto muito em ouvir isso. Regue menos a planta."),
    ("pt", "A imagem mostra um ônibus vermelho."),
    ("ru", "Мне жаль, что ваше растение болеет. Поливайте его реже."),
    ("ru", "На фото красный автобус, он не может ехать без водителя."),
    ("ru", "Я не могу разглядеть надпись, но автобус красный."),
    ("zh", "很遗憾听到您的植物生病了。少浇水。"),
    ("zh", "图中的公交车是红色的，没有司机不能开。"),
    ("zh", "这只猫不能出门，因为下雨了。"),
    ("ja", "お待たせして申し訳ありません。バスは赤色です。"),
    ("ja", "この猫は外に出られません。雨が降っているからです。"),
    ("ko", "기다리게 해서 죄송합니다. 버스는 빨간색입니다."),
    ("ko", "이 고양이는 비가 와서 나갈 수 없습니다."),
    ("ar", "تظهر الصورة حافلة حمراء لا يمكن قيادتها بدون سائق."),
    ("ar", "آسف لسماع أن نبتتك مريضة. اسقها أقل."),
    ("hi", "तस्वीर में एक लाल बस है जो ड्राइवर के बिना नहीं चल सकती।"),
    ("hi", "यह सुनकर दुख हुआ कि आपका पौधा बीमार है। कम पानी दें।"),
    ("nl", "De kat kan niet naar buiten, want het regent."),
    ("pl", "Kot nie może wyjść, bo pada deszcz."),
    ("tr", "Resimde kırmızı bir otobüs var."),
    ("id", "Gambar ini menunjukkan bus merah."),
]


@pytest.mark.parametrize(("language", "answer"), REFUSALS)
def test_an_answer_that_declines_is_a_refusal(language, answer):
    assert is_refusal(answer)
    assert answer_label(answer) is True
    assert language in phrase_languages()


@pytest.mark.parametrize(("language", "answer"), ANSWERS)
def test_an_answer_that_only_sounds_like_one_is_not(language, answer):
    assert refusal_phrase(answer) is None
    assert answer_label(answer) is False


@pytest.mark.parametrize("language", sorted(phrase_languages() - {"en"}))
def test_each_list_has_an_example_and_a_code_that_the_detector_knows(language):
    assert language in LANGUAGES
    assert language_pattern(language).search("") is None
    assert language in {code for code, _ in REFUSALS}


@pytest.mark.parametrize("language", sorted(phrase_languages() - {"en"}))
def test_no_list_calls_plain_english_a_refusal(language):
    text = "the red bus can not leave without a driver. i gave him a map and told him how to get to the coast."
    assert language_pattern(language).search(text) is None


def test_all_parts_are_filled_in():
    for language, entry in other_languages().items():
        assert "<" not in language_pattern(language).pattern.replace("(?<", "").replace("\\A< ?", "")
        for name in entry.get("parts", {}):
            assert any(f"<{name}>" in phrase for phrase in entry["phrases"]), (language, name)


def test_languages_without_phrases_are_counted():
    texts = ["Šiame paveikslėlyje matomas raudonas autobusas.", "It is a red bus.", "Es ist ein roter Bus."]
    assert languages_without_phrases(texts) == {"Lithuanian": 1}
    assert languages_without_phrases([*texts, *texts]) == {"Lithuanian": 2}
    assert languages_without_phrases(texts, {"lt"}) == {}
    assert answer_label(texts[0]) is None
    assert [answer_label(text) for text in (*texts[1:], "42", "")] == [False, False, False, None]
